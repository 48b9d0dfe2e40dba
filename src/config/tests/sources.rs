//! Layers, aliases and the `.env` file.

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::super::environment::add_file;
use super::super::groups;
use super::super::source::Source;
use super::super::{ConfigErrors, Settings};
use super::{owned, read, refused};

/// The environment, then a `.env` file.
fn layered(environment: &[(&str, &str)], file: &str) -> Result<Settings, ConfigErrors> {
    let mut source = Source::new(&groups::catalogue());
    source.add_layer(owned(environment));
    add_file(&mut source, file);
    Settings::from_source(source)
}

#[test]
fn the_environment_wins_where_it_says_something() {
    let settings = layered(
        &[("PORT", "9001"), ("APP_NAME", "")],
        "port=9002\nAPP_NAME='From the file' # why\nexport HOST=localhost\n",
    )
    .expect("settings");
    assert_eq!(settings.app.port, 9001);
    assert_eq!(settings.app.name, "From the file");
    assert_eq!(settings.app.host, "localhost");
}

#[test]
fn aliases_are_the_same_setting() {
    let settings = layered(
        &[("SUPABASE_PUBLISHABLE_KEY", "new")],
        "SUPABASE_ANON_KEY=old\nSUPABASE_SECRET_KEY=secret\n",
    )
    .expect("settings");
    let keys = [&settings.supabase.anon_key, &settings.supabase.service_key];
    let keys = keys.map(|key| key.as_ref().map(|key| key.expose_secret().to_owned()));
    assert_eq!(keys, [Some("new".to_owned()), Some("secret".to_owned())]);
}

#[test]
fn two_values_for_one_setting_are_refused() {
    assert_eq!(refused(&[("PORT", "1"), ("port", "2")]), ["PORT"]);
    assert_eq!(
        refused(&[("SUPABASE_ANON_KEY", "a"), ("SUPABASE_PUBLISHABLE_KEY", "b")]),
        ["SUPABASE_ANON_KEY"]
    );
    assert!(read(&[("PORT", "1"), ("port", "1")]).is_ok());
}

#[test]
fn unknown_names_matter_in_the_file_only() {
    let settings = layered(&[("PATH", "/bin")], "PROT=9000\n").expect("settings");
    assert_eq!(settings.warnings(), [".env sets PROT, which is not a setting"]);
}

#[test]
fn a_broken_file_names_the_line_and_hides_it() {
    for (file, line) in [
        ("PORT=1\n\n# note\nJWT_SECRET_KEY hidden\n", 4),
        ("PORT=1\nJWT_SECRET_KEY='hidden\nPORT=2\n", 2),
        ("JWT_SECRET_KEY=hidden word\n", 1),
        ("A=1\nB=\"two\nlines\" hidden\n", 2),
    ] {
        let errors = layered(&[], file).expect_err("a problem");
        assert_eq!(
            errors.problems()[0].setting,
            format!(".env line {line}"),
            "{file}"
        );
        assert!(!errors.to_string().contains("hidden"), "{errors}");
    }
}

#[test]
fn byte_order_marks_and_missing_line_ends_are_fine() {
    let settings = layered(&[], "\u{feff}PORT=9003\r\nHOST=localhost  ").expect("settings");
    assert_eq!(settings.app.port, 9003);
    assert_eq!(settings.app.host, "localhost");
}

proptest! {
    #[test]
    fn any_file_is_read(text in any::<String>(), near in "[A-Z$= '\"#\\\\{}\n]{0,60}") {
        let _ = layered(&[], &text);
        let _ = layered(&[], &near);
    }
}
