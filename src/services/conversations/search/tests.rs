//! What holds for every text and every query, and that the databases' languages agree with it.

use proptest::prelude::*;
use sqlx::sqlite::SqlitePoolOptions;

use super::tokens::canonical;
use super::*;

/// Texts of everything that is treated in a way of its own.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9]{1,8}",
        2 => "[ \\t\\n.,;:'\"()*%_\\\\&<>|!-]{1,3}",
        2 => "[éÄßẞﬁİıςΣйŁñ½²™ﷺ]",
        2 => "[東京都あがーｶﾞ㍿한글กิำมျးហ្គ]",
        2 => "[😀👍🏽👩❤€⁄©🇩]",
        1 => "[\u{300}\u{301}\u{323}\u{345}\u{3099}\u{20e3}\u{fe0f}\u{200d}\u{ad}\u{200b}\u{feff}]",
        1 => "[\u{1100}-\u{1113}\u{1161}-\u{1175}\u{11a8}-\u{11c2}\u{115f}]",
        1 => "[हिन्दीক\u{9c7}\u{9be}\u{9cd}\u{b47}\u{b56}\u{1b05}\u{1b35}\u{5d0}\u{5b8}\u{64e}\u{654}]",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A snippet without what was added to the text.
fn plain(snippet: &str) -> String {
    let mut text = snippet.replace("<mark>", "").replace("</mark>", "");
    assert!(!text.contains(['<', '>', '"', '\'']), "{snippet}");
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    text
}

/// The text on one line.
fn line(text: &str) -> String {
    let spaced: String = canonical(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_token(token: &str) -> bool {
    let plain = |c: char| {
        if c.is_ascii() {
            c.is_ascii_lowercase() || c.is_ascii_digit()
        } else {
            !c.is_whitespace()
        }
    };
    !token.is_empty() && token.chars().all(plain)
}

proptest! {
    #[test]
    fn indexing_twice_is_indexing_once(text in text()) {
        let index = index_text(&text);
        prop_assert!(index.is_empty() || index.split(' ').all(is_token), "{:?}", index);
        prop_assert_eq!(&canonical(&index), &index);
        prop_assert_eq!(index_text(&index), index);
    }

    #[test]
    fn composed_and_decomposed_are_equal(text in text()) {
        let decomposed: String = icu_normalizer::DecomposingNormalizer::new_nfd().normalize(&text).into_owned();
        prop_assert_eq!(index_text(&decomposed), index_text(&text));
    }

    #[test]
    fn a_text_has_each_of_its_words_and_itself(text in text()) {
        let index = index_text(&text);
        for token in index.split(' ').filter(|token| !token.is_empty()) {
            let query = SearchQuery::parse(token);
            prop_assert_eq!(query.needles().len(), 1);
            prop_assert!(query.matches(&index), "{:?} {:?}", query, index);
            prop_assert!(query.occurrences(&index) > 0);
        }
        for query in [&text, &index] {
            let query = SearchQuery::parse(query);
            prop_assert!(query.is_empty() || query.matches(&index), "{:?} {:?}", query, index);
        }
    }

    #[test]
    fn the_needles_are_the_query(text in text(), query in text()) {
        let (index, query) = (index_text(&text), SearchQuery::parse(&query));
        let padded = format!(" {index} ");
        let found = query.needles().iter().all(|needle| padded.contains(needle.as_str()));
        prop_assert_eq!(query.matches(&index), !query.is_empty() && found);
        prop_assert!(query.phrases().iter().all(|phrase| query.needles().contains(phrase)));
    }

    #[test]
    fn expressions_are_quoted_tokens_only(query in prop_oneof![text(), any::<String>()]) {
        let query = SearchQuery::parse(&query);
        let Tsqueries { index, rows } = query.tsqueries("key");
        let mut expressions = vec![(query.fts5("key"), " AND ", '"', "*"), (index, " & ", '\'', ":*")];
        expressions.extend(rows.map(|rows| (rows, " & ", '\'', ":*")));
        for (expression, and, quote, star) in expressions {
            for term in expression.split(and).filter(|_| !query.is_empty()) {
                let term = term.strip_suffix(star).unwrap_or(term);
                let term = term.strip_prefix(quote).and_then(|term| term.strip_suffix(quote));
                prop_assert!(term.and_then(|term| term.strip_prefix("key")).is_some_and(is_token), "{}", expression);
            }
        }
    }

    #[test]
    fn a_snippet_is_a_piece_of_the_text(
        before in text(), text in text(), after in text(), repeat in 1_usize..20, query in text(), own in any::<bool>(),
    ) {
        let content = [before.repeat(repeat), text.clone(), after.repeat(repeat)].concat();
        let query = SearchQuery::parse(if own { &text } else { &query });
        let snippet = snippet(&content, &query);
        prop_assert_eq!(snippet.matches("<mark>").count(), snippet.matches("</mark>").count());
        prop_assert!(!snippet.contains("<mark></mark>") && !snippet.contains("<mark><mark>"));
        let (plain, line) = (plain(&snippet), line(&content));
        prop_assert!(plain.chars().count() <= 202);
        let from_start = plain.strip_prefix('…').unwrap_or(&plain);
        let pieces = [Some(&*plain), Some(from_start), plain.strip_suffix('…'), from_start.strip_suffix('…')];
        prop_assert!(pieces.into_iter().flatten().any(|piece| line.contains(piece)), "{} | {}", snippet, line);
        if query.matches(&index_text(&content)) {
            prop_assert!(snippet.contains("<mark>"), "{} | {:?}", snippet, query);
        }
    }

    #[test]
    fn nothing_panics(content in any::<String>(), query in any::<String>()) {
        let query = SearchQuery::parse(&query);
        plain(&snippet(&content, &query));
        plain(&snippet(&content, &SearchQuery::parse(&content)));
    }
}

/// SQLite's index and the check of phrases find what the needles find.
#[tokio::test]
async fn fts5_agrees() {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .expect("a database");
    sqlx::query("CREATE VIRTUAL TABLE terms USING fts5(t, content='', detail=none, tokenize='ascii')")
        .execute(&pool)
        .await
        .expect("a table");
    let texts = [
        "The quick brown fox",
        "Crème brûlée 東京都",
        "京の東",
        "well 👍🏽 done",
        "Straße 1½ ﬁn",
        "한국어 กิน हिन्दी",
        "x\u{fe0f} or and not near",
        "\"); DROP TABLE terms",
        "",
        "ｶﾞｲﾄﾞ €5",
    ];
    let (mine, other) = ("0key0000", "1key0000");
    for (id, text) in (0_i64..).zip(texts) {
        let index = index_text(text);
        sqlx::query(
            "INSERT INTO terms(rowid, t) VALUES (?1, ?3 || replace(?2, ' ', ' ' || ?3)), (?1 + 100, ?4)",
        )
        .bind(id)
        .bind(&index)
        .bind(mine)
        .bind(index_terms(&index, other))
        .execute(&pool)
        .await
        .expect("a row");
    }
    for query in [
        "qui",
        "FOX the",
        "creme",
        "東京",
        "京都 brul",
        "京",
        "👍",
        "👍🏽",
        "strasse",
        "fi",
        "1",
        "국어",
        "กิน",
        "हिन",
        "or",
        "NOT near",
        "\"); DROP",
        "x",
        "ガイド",
        "€5",
        "OR OR",
        "NEAR(a b)",
        "t:quick",
        "^the",
        "-fox",
        "{t}:x",
    ] {
        let query = SearchQuery::parse(query);
        let found: Vec<i64> =
            sqlx::query_scalar("SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY rowid")
                .bind(query.fts5(mine))
                .fetch_all(&pool)
                .await
                .expect("no query is a syntax error");
        let index = |id: i64| {
            format!(
                " {} ",
                index_text(texts[usize::try_from(id).expect("mine, not the other's")])
            )
        };
        let in_phrase = |id: &i64| query.phrases().iter().all(|phrase| index(*id).contains(phrase));
        let found: Vec<i64> = found.into_iter().filter(in_phrase).collect();
        let expected: Vec<i64> = (0..)
            .zip(texts)
            .filter(|(_, text)| query.matches(&index_text(text)))
            .map(|(id, _)| id)
            .collect();
        assert_eq!(found, expected, "{query:?}");
    }
}
