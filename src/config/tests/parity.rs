//! Code, `.env.example` and `docs/configuration.md` say the same.

use std::collections::HashSet;

use super::super::environment::add_file;
use super::super::groups;
use super::super::source::Source;
use super::super::{DefaultValue, Group, SettingInfo, Settings};
use super::read;

const EXAMPLE: &str = include_str!("../../../.env.example");
const DOCS: &str = include_str!("../../../docs/configuration.md");

/// How `.env.example` shows a setting.
fn example_lines(info: &SettingInfo) -> [String; 2] {
    let later = if info.later { " (not used yet)" } else { "" };
    let line = match info.default {
        DefaultValue::Text(text) if text.contains(' ') => format!("{}='{text}'", info.name),
        DefaultValue::Text(text) => format!("{}={text}", info.name),
        DefaultValue::Derived { example, .. } | DefaultValue::Unset { example } => {
            format!("# {}={example}", info.name)
        }
    };
    [format!("# {}{later}", info.about), line]
}

/// How the documentation shows a setting.
fn docs_row(info: &SettingInfo) -> String {
    let names: Vec<_> = [info.name]
        .iter()
        .chain(info.aliases)
        .map(|name| format!("`{name}`"))
        .collect();
    let default = match info.default {
        DefaultValue::Text(text) => format!("`{text}`"),
        DefaultValue::Derived { from, .. } => from.to_owned(),
        DefaultValue::Unset { .. } => "unset".to_owned(),
    };
    let later = if info.later { " *(not used yet)*" } else { "" };
    let allowed = info.allowed.replace('|', "\\|");
    format!(
        "| {} | {default} | {}{later} | {allowed} |",
        names.join(" or "),
        info.about
    )
}

/// The headings and settings of a document, one a line.
fn expected(heading: impl Fn(Group) -> String, lines: impl Fn(&SettingInfo) -> Vec<String>) -> Vec<String> {
    let mut group = None;
    let mut all = Vec::new();
    for info in Settings::catalogue() {
        if group != Some(info.group) {
            group = Some(info.group);
            all.push(heading(info.group));
        }
        all.extend(lines(&info));
    }
    all
}

fn assert_same(document: &str, found: &[&str], expected: &[String]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{document} differs from the code");
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "{document} has more or fewer lines than the code"
    );
}

#[test]
fn the_example_file_follows_the_code() {
    let (_introduction, body) = EXAMPLE.split_once("\n\n").expect("an introduction");
    let found: Vec<_> = body.lines().filter(|line| !line.is_empty()).collect();
    let expected = expected(
        |group| format!("## {}", group.title()),
        |info| example_lines(info).to_vec(),
    );
    assert_same(".env.example", &found, &expected);
}

#[test]
fn the_documentation_follows_the_code() {
    let first = format!("## {}", Group::Application.title());
    let start = DOCS.find(&first).expect("the first group");
    let found: Vec<_> = DOCS[start..]
        .lines()
        .filter(|line| line.starts_with("## ") || line.starts_with("| `"))
        .collect();
    let expected = expected(
        |group| format!("## {}", group.title()),
        |info| vec![docs_row(info)],
    );
    assert_same("docs/configuration.md", &found, &expected);
}

#[test]
fn the_example_file_starts_the_development_service_with_its_defaults() {
    let mut source = Source::new(&groups::catalogue());
    add_file(&mut source, EXAMPLE);
    let from_example = Settings::from_source(source).expect("settings");
    assert_eq!(from_example.warnings(), &[] as &[String]);
    assert_eq!(from_example.not_yet_effective(), [] as [&str; 0]);
    let defaults = read(&[]).expect("defaults");
    assert_eq!(format!("{from_example:#?}"), format!("{defaults:#?}"));
}

/// A default that does not parse would silently become a zero.
#[test]
fn every_default_and_example_is_allowed() {
    for info in Settings::catalogue() {
        let text = match info.default {
            DefaultValue::Text(text) => text,
            DefaultValue::Derived { example, .. } | DefaultValue::Unset { example } => example,
        };
        let problems = match read(&[(info.name, text)]) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.problems().to_vec(),
        };
        let syntax_problems: Vec<_> = problems
            .iter()
            .filter(|problem| problem.allowed == info.allowed)
            .collect();
        assert!(syntax_problems.is_empty(), "{syntax_problems:?}");
    }
}

#[test]
fn no_name_is_used_twice() {
    let mut names = HashSet::new();
    for info in Settings::catalogue() {
        for name in [info.name].iter().chain(info.aliases) {
            assert!(names.insert(*name), "{name}");
            assert_eq!(*name, name.to_ascii_uppercase());
        }
    }
}
