//! The manual is true: every console block in `tests/cmd` is run.

#[test]
fn manual() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.md")
        // A user's own settings must not change the manual.
        .env("QUELL_CONFIG", "")
        .env("QUELL_DATA_DIR", "")
        .env("NO_COLOR", "1");
}
