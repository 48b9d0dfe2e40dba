//! The title of a conversation that was given none.

/// Characters of the first answer that become the title.
const TITLE_CHARS: usize = 50;

/// The first 50 characters of an answer, cut at a word, on one line; `None` for an answer without text.
#[must_use]
pub fn title_from_answer(answer: &str) -> Option<String> {
    let mut title = String::new();
    let mut length = 0;
    for word in answer
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        let space = usize::from(length > 0);
        let chars = word.chars().count();
        if length + space + chars > TITLE_CHARS {
            if length == 0 {
                title.extend(word.chars().take(TITLE_CHARS));
            }
            break;
        }
        if space > 0 {
            title.push(' ');
        }
        title.push_str(word);
        length += space + chars;
    }
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::title_from_answer;

    #[test]
    fn cuts_at_a_word() {
        let answer = "Quantum computing uses qubits, which can be in several states at once.";
        assert_eq!(
            title_from_answer(answer).as_deref(),
            Some("Quantum computing uses qubits, which can be in")
        );
        assert_eq!(
            title_from_answer("# Title\n\nText").as_deref(),
            Some("# Title Text")
        );
        assert_eq!(title_from_answer(" \n "), None);
        assert_eq!(
            title_from_answer(&"字".repeat(80)).map(|title| title.chars().count()),
            Some(50)
        );
    }
}
