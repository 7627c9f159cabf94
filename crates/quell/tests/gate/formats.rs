//! The same report in each format. That each is valid is tested where they are written.

use crate::{BLOCK, Folder, OPEN_TF, quell};
use serde_json::Value;

fn printed(file: &str, format: &str) -> String {
    let ran = quell(&["gate", file, "--format", format]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

#[test]
fn a_finding_is_told_in_every_format() {
    let folder = Folder::new();
    let file = folder.write("main.tf", OPEN_TF);
    let json = |format: &str| -> Value {
        let text = printed(&file, format);
        serde_json::from_str(&text).unwrap_or_else(|it| panic!("{it}: {text}"))
    };
    let text = printed(&file, "text");
    let excerpt = "5 | resource \"aws_s3_bucket_public_access_block\" \"open\" {";
    for told in [BLOCK, &format!("--> {file}:5:1"), excerpt, "controls: ", "see https://"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");

    let told = &json("json")["entries"][0];
    assert_eq!((&told["policy"], &told["place"]["line"]), (&Value::from(BLOCK), &Value::from(5)));

    let sarif = json("sarif");
    let told = &sarif["runs"][0]["results"][0];
    assert_eq!(told["ruleId"], BLOCK, "{sarif:#}");
    assert_eq!(told["locations"][0]["physicalLocation"]["region"]["startLine"], 5);

    let junit = printed(&file, "junit");
    assert!(
        junit.contains("<testsuite id=") && junit.contains("<failure type=\"high\""),
        "{junit}"
    );

    let github = printed(&file, "github");
    let told = format!("::error file={file},line=5,col=1,title={BLOCK}%3A violation%2C high::");
    assert!(github.contains(&told), "{github}");

    let gitlab = json("gitlab");
    assert_eq!(gitlab[0]["check_name"], BLOCK, "{gitlab:#}");
    assert_eq!(gitlab[0]["location"]["lines"]["begin"], 5);
}
