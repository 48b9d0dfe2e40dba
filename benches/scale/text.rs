//! Texts with the statistics of language: few words are everywhere, most are rare.

use std::collections::HashSet;

use rand::RngExt as _;
use rand::rngs::StdRng;

/// Different words.
const WORDS: usize = 20_000;

/// Different CJK characters.
const CHARACTERS: usize = 2_000;

/// Words of a message.
const LENGTHS: (usize, usize) = (20, 200);

/// One message in so many has a sentence in CJK characters, and one an emoji.
const RARELY: u32 = 20;

const EMOJI: [char; 8] = ['😀', '👍', '🚀', '🎉', '🤔', '🐛', '🍣', '🌍'];
const CONSONANTS: &[u8] = b"bcdfghjklmnprstvwz";
const VOWELS: &[u8] = b"aeiou";

/// A language.
#[derive(Debug)]
pub struct Language {
    /// The most frequent first.
    words: Vec<String>,
    word_ranks: Zipf,
    character_ranks: Zipf,
}

impl Language {
    /// Makes one up.
    pub fn invent(random: &mut StdRng) -> Self {
        let mut known = HashSet::with_capacity(WORDS);
        let mut words = Vec::with_capacity(WORDS);
        while words.len() < WORDS {
            let word = invent_word(words.len(), random);
            if known.insert(word.clone()) {
                words.push(word);
            }
        }
        Self {
            words,
            word_ranks: Zipf::new(WORDS),
            character_ranks: Zipf::new(CHARACTERS),
        }
    }

    /// The word of this rank, 0 for the most frequent.
    pub fn word(&self, rank: usize) -> &str {
        self.words.get(rank).map_or("", String::as_str)
    }

    /// All words, the most frequent first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// The text of a message.
    pub fn text(&self, random: &mut StdRng) -> String {
        let mut text = self.sentence(between(LENGTHS, random), random);
        if random.random_ratio(1, RARELY) {
            text.push(' ');
            text.push_str(&self.characters(random.random_range(5..30), random));
        }
        if random.random_ratio(1, RARELY) {
            text.push(' ');
            text.push(EMOJI[random.random_range(0..EMOJI.len())]);
        }
        text
    }

    /// So many words.
    pub fn sentence(&self, words: usize, random: &mut StdRng) -> String {
        let words: Vec<&str> = (0..words)
            .map(|_| self.word(self.word_ranks.rank(random)))
            .collect();
        words.join(" ")
    }

    fn characters(&self, count: usize, random: &mut StdRng) -> String {
        (0..count)
            .filter_map(|_| character(self.character_ranks.rank(random)))
            .collect()
    }
}

/// The CJK character of this rank, 0 for the most frequent.
pub fn character(rank: usize) -> Option<char> {
    /// The first of the CJK unified ideographs.
    const FIRST: u32 = 0x4E00;
    char::from_u32(FIRST + u32::try_from(rank).ok()?)
}

/// Frequent words are short, and have the beginnings that rarer ones have too.
fn invent_word(rank: usize, random: &mut StdRng) -> String {
    let syllables = match rank {
        0..200 => 1,
        200..2_000 => 2,
        _ => random.random_range(2..5),
    };
    let mut word = String::new();
    for _ in 0..syllables {
        word.push(letter(CONSONANTS, random));
        word.push(letter(VOWELS, random));
        if random.random_bool(0.5) {
            word.push(letter(CONSONANTS, random));
        }
    }
    word
}

fn letter(of: &[u8], random: &mut StdRng) -> char {
    char::from(of[random.random_range(0..of.len())])
}

/// A number in this range, of which the smaller are more likely: each doubling is as likely as another.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between two numbers that are none of them negative or large"
)]
fn between((least, most): (usize, usize), random: &mut StdRng) -> usize {
    let (least, most) = ((least as f64).ln(), (most as f64).ln());
    random.random_range(least..most).exp().round() as usize
}

/// Ranks of which the n-th is n times less likely than the first.
#[derive(Debug)]
struct Zipf {
    /// For each rank, how likely it or one before it is, times a factor.
    cumulated: Vec<f64>,
}

impl Zipf {
    fn new(ranks: usize) -> Self {
        let mut sum = 0.0;
        let cumulated = (1..=ranks)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        Self { cumulated }
    }

    fn rank(&self, random: &mut StdRng) -> usize {
        let most = self.cumulated.last().copied().unwrap_or(1.0);
        let at = random.random_range(0.0..most);
        self.cumulated.partition_point(|up_to| *up_to <= at)
    }
}
