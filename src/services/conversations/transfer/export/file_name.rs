//! What the file of an export is called: text of anybody's in a response header.

use std::fmt::Write as _;

use super::ExportFormat;
use crate::models::ids::ConversationId;

/// Most characters of a title that go into a file's name.
const MAX_TITLE_CHARS: usize = 80;

/// The name of the file in lowercase ASCII letters, digits and hyphens: `quantum-computing.json`. A title
/// without any of these gives way to the id.
#[must_use]
pub fn file_name(title: Option<&str>, id: ConversationId, format: ExportFormat) -> String {
    let mut slug = String::new();
    for c in title.unwrap_or_default().chars().take(MAX_TITLE_CHARS) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let extension = format.extension();
    match slug.trim_end_matches('-') {
        "" => format!("conversation-{id}.{extension}"),
        slug => format!("{slug}.{extension}"),
    }
}

/// The value of `Content-Disposition`: the ASCII name for all, and after RFC 5987 the title as it is for those
/// who can read it. Visible ASCII only, whatever the title holds.
#[must_use]
pub fn content_disposition(title: Option<&str>, id: ConversationId, format: ExportFormat) -> String {
    let ascii = file_name(title, id, format);
    let mut value = format!("attachment; filename=\"{ascii}\"");
    let name = readable_name(title.unwrap_or_default());
    if !name.is_ascii() {
        value.push_str("; filename*=UTF-8''");
        push_encoded(&mut value, &name);
        value.push('.');
        value.push_str(format.extension());
    }
    value
}

/// The title without what file systems forbid or what makes a name look like another.
fn readable_name(title: &str) -> String {
    let forbidden = |c: char| {
        let turns_text_around =
            matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns_text_around || "/\\:*?\"<>|".contains(c)
    };
    let name: String = title
        .chars()
        .take(MAX_TITLE_CHARS)
        .map(|c| if forbidden(c) { ' ' } else { c })
        .collect();
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join(" ").trim_matches('.').trim().to_owned()
}

/// Percent-encodes all but the letters and digits of ASCII and three signs that every parser takes.
fn push_encoded(value: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            value.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;
    use uuid::Uuid;

    const ID: ConversationId = ConversationId(Uuid::from_u128(1));

    fn disposition(title: &str) -> String {
        content_disposition(Some(title), ID, ExportFormat::Json)
    }

    #[test]
    fn names_files_after_titles() {
        let name = |title| file_name(title, ID, ExportFormat::Markdown);
        assert_eq!(name(Some("Quantum  computing: 101!")), "quantum-computing-101.md");
        assert_eq!(name(Some("../../etc/passwd")), "etc-passwd.md");
        for none in [None, Some("東京"), Some("--")] {
            assert_eq!(name(none), "conversation-00000000-0000-0000-0000-000000000001.md");
        }
    }

    #[test]
    fn keeps_other_scripts_for_those_who_can_read_them() {
        assert_eq!(disposition("Plain"), "attachment; filename=\"plain.json\"");
        assert_eq!(
            disposition("Café \"/x\""),
            "attachment; filename=\"caf-x.json\"; filename*=UTF-8''Caf%C3%A9%20x.json"
        );
    }

    proptest! {
        #[test]
        fn never_breaks_a_header(title in any::<String>()) {
            let value = disposition(&title);
            prop_assert!(value.bytes().all(|byte| (0x20..0x7F).contains(&byte)));
            prop_assert!(HeaderValue::from_str(&value).is_ok());
            prop_assert_eq!(value.matches('"').count(), 2);
        }
    }
}
