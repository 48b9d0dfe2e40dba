//! What becomes of one character: which characters it is searched as, and whether they make tokens or end them.

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{DecomposingNormalizer, DecomposingNormalizerBorrowed};
use icu_properties::props::{
    Alphabetic, DefaultIgnorableCodePoint, Diacritic, GeneralCategory, GeneralCategoryGroup, Script,
};
use icu_properties::script::{ScriptWithExtensions, ScriptWithExtensionsBorrowed};
use icu_properties::{
    CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed,
};

/// What a folded character is for the token that it may be a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A letter or digit of a word.
    Word,
    /// A token of its own.
    Single,
    /// As good as absent: it does not even end a token.
    Ignored,
    /// The end of a token.
    Separator,
}

/// Folds characters and knows their roles.
pub(super) struct Characters {
    nfkd: DecomposingNormalizerBorrowed<'static>,
    cases: CaseMapperBorrowed<'static>,
    categories: CodePointMapDataBorrowed<'static, GeneralCategory>,
    scripts: ScriptWithExtensionsBorrowed<'static>,
    alphabetic: CodePointSetDataBorrowed<'static>,
    diacritic: CodePointSetDataBorrowed<'static>,
    ignorable: CodePointSetDataBorrowed<'static>,
}

impl Characters {
    pub(super) fn new() -> Self {
        Self {
            nfkd: DecomposingNormalizer::new_nfkd(),
            cases: CaseMapper::new(),
            categories: CodePointMapData::new(),
            scripts: ScriptWithExtensions::new(),
            alphabetic: CodePointSetData::new::<Alphabetic>(),
            diacritic: CodePointSetData::new::<Diacritic>(),
            ignorable: CodePointSetData::new::<DefaultIgnorableCodePoint>(),
        }
    }

    /// Writes what a character is searched as over `folded`: its compatibility decomposition (NFKD) in full case
    /// folding. Accents are still among it; their role is to be ignored.
    pub(super) fn fold(&self, character: char, folded: &mut String) {
        folded.clear();
        let mut buffer = [0; 4];
        for part in self.nfkd.normalize(character.encode_utf8(&mut buffer)).chars() {
            match part {
                // Of all characters that fold into several, only these are still whole after NFKD.
                'ß' | 'ẞ' => folded.push_str("ss"),
                // The only accent with a case, which is a letter: ᾳ is to be found as α, not as αι.
                '\u{345}' => folded.push(part),
                _ => folded.push(self.cases.simple_fold(part)),
            }
        }
    }

    /// The role of a folded character.
    pub(super) fn role(&self, folded: char) -> Role {
        if folded.is_ascii() {
            return ascii_role(folded);
        }
        match self.categories.get(folded) {
            // Says where a word may be broken, and is used for spaces in scripts that show none.
            GeneralCategory::Format if folded == '\u{200b}' => Role::Separator,
            GeneralCategory::Format => Role::Ignored,
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark if self.is_accent(folded) => {
                Role::Ignored
            }
            category if GeneralCategoryGroup::Symbol.contains(category) => Role::Single,
            category if !spells(category) => Role::Separator,
            // The fillers of Hangul are letters that show nothing.
            _ if self.ignorable.contains(folded) => Role::Ignored,
            _ if self.is_unspaced(folded) => Role::Single,
            _ => Role::Word,
        }
    }

    /// Whether a mark only says how a letter sounds or looks. The vowel signs of Indic and South-East Asian scripts
    /// are marks as well, but spell other words, as dakuten and handakuten do.
    fn is_accent(&self, mark: char) -> bool {
        if matches!(mark, '\u{3099}' | '\u{309a}') {
            return false;
        }
        let is_vowel_sign = self.alphabetic.contains(mark)
            && !self.diacritic.contains(mark)
            && self.scripts.get_script_val(mark) != Script::Inherited;
        !is_vowel_sign
    }

    /// Whether a character belongs to a script written without spaces between words. Extensions of scripts count,
    /// for the sake of ー, which Hiragana and Katakana share.
    fn is_unspaced(&self, character: char) -> bool {
        self.scripts
            .get_script_extensions_val(character)
            .iter()
            .any(is_unspaced_script)
    }
}

/// The role of an ASCII character.
pub(super) const fn ascii_role(character: char) -> Role {
    if character.is_ascii_alphanumeric() {
        Role::Word
    } else {
        Role::Separator
    }
}

fn spells(category: GeneralCategory) -> bool {
    GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Mark)
        .contains(category)
}

/// Korean has spaces, but what stands between them is a word with its endings: it is searched by syllables.
const fn is_unspaced_script(script: Script) -> bool {
    matches!(
        script,
        Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Bopomofo
            | Script::Hangul
            | Script::Yi
            | Script::Tangut
            | Script::Nushu
            | Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar
            | Script::TaiLe
            | Script::NewTaiLue
            | Script::TaiTham
            | Script::TaiViet
            | Script::Ahom
            | Script::Javanese
            | Script::Balinese
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(character: char) -> Role {
        Characters::new().role(character)
    }

    #[test]
    fn knows_roles() {
        for (characters, expected) in [
            ("azAZ09é٣अिुΣйا୦", Role::Word),
            ("東あアー々ㄅ한กิ๐ກកက😀🏽€×©🇩", Role::Single),
            (
                "\u{301}\u{fe0f}\u{200d}\u{ad}\u{feff}\u{20e3}\u{5b0}\u{64b}\u{e48}\u{94d}\u{115f}",
                Role::Ignored,
            ),
            ("_+ \n\0-\u{a0}\u{200b}«。‿\u{e000}\u{2028}", Role::Separator),
        ] {
            for character in characters.chars() {
                assert_eq!(role(character), expected, "{character:?}");
            }
        }
    }

    #[test]
    fn folds_every_character_fully_and_finally() {
        let characters = Characters::new();
        let (mut once, mut twice) = (String::new(), String::new());
        // Above these are no letters.
        for character in '\0'..'\u{40000}' {
            characters.fold(character, &mut once);
            for folded in once
                .chars()
                .filter(|folded| characters.role(*folded) != Role::Ignored)
            {
                assert_eq!(
                    characters.cases.fold_string(&folded.to_string()),
                    folded.to_string()
                );
                characters.fold(folded, &mut twice);
                assert_eq!(twice, folded.to_string(), "{character:?}");
                let plain = folded.is_ascii_lowercase() || folded.is_ascii_digit();
                assert!(!folded.is_ascii() || plain || characters.role(folded) == Role::Separator);
            }
        }
    }
}
