//! Override files, and what may be declared once.

use crate::{addresses, find, notes, plan, try_plan};
use serde_json::json;

#[test]
fn override_files_change_what_is_there() {
    let plan = plan(&[
        ("main.tf", "resource \"r\" \"r\" {\n  a = 1\n  b = 1\n  c {\n    d = 1\n  }\n  e {}\n}"),
        ("x_override.tf", "resource \"r\" \"r\" {\n  b = 2\n  c {\n    d = 2\n  }\n}"),
    ]);
    assert_eq!(addresses(&plan), ["r.r"]);
    assert_eq!(find(&plan, "r.r").properties, json!({"a": 1, "b": 2, "c": [{"d": 2}], "e": [{}]}));
}

#[test]
fn override_files_change_calls_of_modules_and_only_the_blocks_of_their_types() {
    let dynamic = |kind: &str| {
        format!("  dynamic \"{kind}\" {{\n    for_each = [1]\n    content {{ v = 2 }}\n  }}\n")
    };
    let blocks = |text: String| format!("resource \"r\" \"r\" {{\n{text}}}\n");
    let main = "module \"m\" {\n  source = \"./m\"\n  x = 1\n  y = 1\n}\nlocals {\n  l = 1\n}\n";
    let plan = plan(&[
        ("main.tf", &(main.to_owned() + &blocks(dynamic("a") + &dynamic("b") + "  c { v = 1 }\n"))),
        ("override.tf", "module \"m\" {\n  y = 2\n}\nlocals {\n  l = 2\n}\n"),
        ("x_override.tf", &blocks("  b { v = 3 }\n".to_owned() + &dynamic("c"))),
        (
            "m/main.tf",
            "variable \"x\" {}\nvariable \"y\" {}\n\
             resource \"r\" \"r\" {\n  v = [var.x, var.y]\n}",
        ),
    ]);
    assert_eq!(notes(&plan), "");
    assert_eq!(find(&plan, "module.m.r.r").properties, json!({"v": [1, 2]}));
    let blocks = json!({"a": [{"v": 2}], "b": [{"v": 3}], "c": [{"v": 2}]});
    assert_eq!(find(&plan, "r.r").properties, blocks);
}

#[test]
fn a_name_that_is_declared_twice_is_refused_where_it_stands_again() {
    for (text, name) in [
        ("module \"m\" {\n  source = \"./m\"\n}\n", "module.m"),
        ("variable \"v\" {}\n", "var.v"),
        ("output \"o\" {\n  value = 1\n}\n", "output.o"),
        ("locals {\n  l = 1\n}\n", "local.l"),
    ] {
        let files = [("a.tf", text), ("b.tf", text), ("m/main.tf", "")];
        let error = try_plan(&files).unwrap_err();
        assert_eq!(error.problem, format!("`{name}` is declared twice"));
        assert_eq!((error.file.as_str(), error.line.is_some()), ("b.tf", true), "{name}");
    }
}

#[test]
fn overrides_and_json_know_dynamic_blocks_by_what_they_make() {
    let dynamic = |kind: &str, value: u8| {
        format!(
            "  dynamic \"{kind}\" {{\n    for_each = [{value}]\n    content {{\n      \
             v = {kind}.value\n    }}\n  }}\n"
        )
    };
    let main = format!("resource \"r\" \"r\" {{\n{}{}}}", dynamic("a", 1), dynamic("b", 1));
    let over = format!("resource \"r\" \"r\" {{\n{}}}", dynamic("b", 2));
    let made = plan(&[("main.tf", &main), ("override.tf", &over)]);
    assert_eq!(find(&made, "r.r").properties, json!({"a": [{"v": 1}], "b": [{"v": 2}]}));

    let json = r#"{"resource": {"r": {"r": {
      "dynamic": [{"a": {"for_each": [1], "content": {"v": "${a.value}"}}}]
    }}}}"#;
    assert_eq!(find(&plan(&[("main.tf.json", json)]), "r.r").properties, json!({"a": [{"v": 1}]}));
}
