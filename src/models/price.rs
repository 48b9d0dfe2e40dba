//! What tokens cost.

use super::money::Money;

/// A price is given for so many tokens.
const UNIT: u128 = 1_000_000;

/// The highest price that is believed: a dollar for one token. The dearest models cost a thousandth of that.
const MAX_PRICE: Money = Money::from_nano(1_000_000 * 1_000_000_000);

/// What the tokens of a model cost: for each kind the price of **a million tokens**, in whole nano-dollars. `None` is
/// unknown, which is not free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenPrices {
    /// Of tokens that the model reads.
    pub input: Option<Money>,
    /// Of tokens that the model writes, those of its thinking included.
    pub output: Option<Money>,
    /// Of tokens that the model reads from its cache. Unknown: what others cost that it reads.
    pub cached_input: Option<Money>,
}

/// The tokens of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCounts {
    /// Tokens read, those from the model's cache included.
    pub input: u64,
    /// Of these, those from the model's cache.
    pub cached_input: u64,
    /// Tokens written.
    pub output: u64,
}

impl TokenPrices {
    /// A million tokens cost nothing: for what is known to be free.
    pub const FREE: Self = Self {
        input: Some(Money::ZERO),
        output: Some(Money::ZERO),
        cached_input: Some(Money::ZERO),
    };

    /// What these tokens cost, rounded up once to the next nano-dollar. `None` if a price is missing for any of them, if
    /// there are none (nothing was used, so there is nothing to charge for), or past the range of [`Money`].
    #[must_use]
    pub fn cost(&self, tokens: TokenCounts) -> Option<Money> {
        let cached = tokens.cached_input.min(tokens.input);
        let parts = [
            (tokens.input - cached, self.input),
            (cached, self.cached_input.or(self.input)),
            (tokens.output, self.output),
        ];
        if parts.iter().all(|(tokens, _)| *tokens == 0) {
            return None;
        }
        let mut millionths: u128 = 0;
        for (tokens, price) in parts.into_iter().filter(|(tokens, _)| *tokens > 0) {
            let price = u128::try_from(price?.nano()).ok()?;
            millionths = millionths.checked_add(u128::from(tokens).checked_mul(price)?)?;
        }
        i64::try_from(millionths.div_ceil(UNIT))
            .ok()
            .map(Money::from_nano)
    }

    /// Whether both what is read and what is written has a price.
    #[must_use]
    pub const fn are_known(&self) -> bool {
        self.input.is_some() && self.output.is_some()
    }

    /// The prices of a model that writes no tokens, which therefore cost nothing; `None` where reading has no price.
    #[must_use]
    pub fn of_input(self) -> Option<Self> {
        self.input.map(|_| Self {
            output: Some(Money::ZERO),
            ..self
        })
    }

    /// The dearer price of each kind: what is paid at most where either of two models may answer. Unknown where either is.
    #[must_use]
    pub fn dearer(self, other: Self) -> Self {
        let dearer = |one: Option<Money>, two: Option<Money>| Some(one?.max(two?));
        let cached = |prices: Self| prices.cached_input.or(prices.input);
        Self {
            input: dearer(self.input, other.input),
            output: dearer(self.output, other.output),
            cached_input: dearer(cached(self), cached(other)),
        }
    }

    /// What so many tokens cost at most, whichever of those that are read come from the model's cache; the end of the range
    /// where it is past that. `None` if a price is missing.
    #[must_use]
    pub fn worst(&self, input: u64, output: u64) -> Option<Money> {
        let prices = self.dearest_input();
        let part = |tokens: u64, price: Option<Money>| {
            let price = u128::try_from(price?.nano()).ok()?;
            Some(u128::from(tokens).saturating_mul(price))
        };
        let millionths = part(input, prices.input)?.saturating_add(part(output, prices.output)?);
        let nano = i64::try_from(millionths.div_ceil(UNIT)).unwrap_or(i64::MAX);
        Some(Money::from_nano(nano))
    }

    /// The most tokens that can be written for an amount which pays for `input` tokens that are read, too. `None`: any
    /// number, since they cost nothing, or nobody knows what.
    #[must_use]
    pub fn output_within(&self, amount: Money, input: u64) -> Option<u64> {
        let price = u128::try_from(self.output?.nano())
            .ok()
            .filter(|price| *price > 0)?;
        let read = u128::try_from(self.dearest_input().input?.nano()).ok()?;
        let millionths = u128::try_from(amount.nano()).unwrap_or_default() * UNIT;
        let left = millionths.saturating_sub(u128::from(input).saturating_mul(read));
        Some(u64::try_from(left / price).unwrap_or(u64::MAX))
    }

    fn dearest_input(&self) -> Self {
        Self {
            input: self
                .input
                .map(|input| input.max(self.cached_input.unwrap_or(input))),
            ..*self
        }
    }
}

/// Reads the price of one token in dollars, as model servers give it (`1.5e-07`, `0.00000015`), as the price of a
/// million. `None` for what is no amount, is negative, or is above a dollar.
#[must_use]
pub fn per_million_from_token(dollars: &str) -> Option<Money> {
    Money::parse_dollars_for_million(dollars).filter(|price| *price <= MAX_PRICE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PRICES: TokenPrices = TokenPrices {
        input: Some(Money::from_nano(150_000_000)),
        output: Some(Money::from_nano(600_000_000)),
        cached_input: Some(Money::from_nano(75_000_000)),
    };

    fn counts(input: u64, cached_input: u64, output: u64) -> TokenCounts {
        TokenCounts {
            input,
            cached_input,
            output,
        }
    }

    fn nano(prices: TokenPrices, tokens: TokenCounts) -> Option<i64> {
        prices.cost(tokens).map(Money::nano)
    }

    #[test]
    fn prices_of_a_token_become_prices_of_a_million() {
        let nano = |text| per_million_from_token(text).map(Money::nano);
        assert_eq!(nano("1.5e-07"), Some(150_000_000));
        assert_eq!(nano("0.00000015"), Some(150_000_000));
        assert_eq!(
            nano("7.500000000000001e-08"),
            Some(75_000_000),
            "noise of floating point"
        );
        assert_eq!(nano("1e-300"), Some(1), "little is not nothing");
        assert_eq!(nano("0"), Some(0));
        assert_eq!(nano("1"), Some(MAX_PRICE.nano()));
        for bad in ["1.01", "1e300", "-1e-07", "NaN", "Infinity", "free", "", "true"] {
            assert_eq!(nano(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_cost_is_exact_and_rounded_up_once() {
        assert_eq!(nano(PRICES, counts(1_000_000, 0, 1_000_000)), Some(750_000_000));
        assert_eq!(nano(PRICES, counts(1_000_000, 1_000_000, 0)), Some(75_000_000));
        let tiny = TokenPrices {
            input: Some(Money::from_nano(1)),
            output: Some(Money::from_nano(1)),
            cached_input: None,
        };
        assert_eq!(nano(tiny, counts(1, 0, 1)), Some(1), "not one for each");
        assert_eq!(
            nano(tiny, counts(1_000_000, 500_000, 0)),
            Some(1),
            "the cache at the full price"
        );
        assert_eq!(
            nano(PRICES, counts(10, 99, 0)),
            Some(750),
            "more from the cache than was read"
        );
    }

    #[test]
    fn what_is_not_known_is_not_free() {
        let no_output = TokenPrices {
            output: None,
            ..PRICES
        };
        assert_eq!(nano(no_output, counts(10, 0, 1)), None);
        assert_eq!(nano(no_output, counts(10, 0, 0)), Some(1_500));
        assert_eq!(nano(PRICES, counts(0, 0, 0)), None);
        assert_eq!(nano(TokenPrices::FREE, counts(10, 0, 10)), Some(0));
        let dear = TokenPrices {
            input: Some(Money::from_nano(i64::MAX)),
            ..PRICES
        };
        assert_eq!(nano(dear, counts(u64::MAX, 0, u64::MAX)), None);
    }

    #[test]
    fn the_dearer_of_two_is_unknown_where_one_is() {
        let other = TokenPrices {
            input: Some(Money::from_nano(100)),
            output: None,
            cached_input: None,
        };
        let dearer = PRICES.dearer(other);
        assert_eq!((dearer.input, dearer.output), (PRICES.input, None));
        assert_eq!(dearer.cached_input, PRICES.cached_input);
        assert_eq!(TokenPrices::FREE.output_within(Money::ZERO, 10), None);
        assert_eq!(
            PRICES.worst(1, u64::MAX),
            Some(Money::from_nano(i64::MAX)),
            "too much is not unknown"
        );
        assert_eq!(other.worst(1, 1), None);
    }

    #[test]
    fn what_is_only_read_needs_no_price_of_writing() {
        let read = TokenPrices {
            output: None,
            ..PRICES
        };
        let prices = read.of_input().expect("reading has a price");
        assert_eq!(prices.worst(10, 1), read.worst(10, 0));
        assert_eq!(
            TokenPrices {
                input: None,
                ..PRICES
            }
            .of_input(),
            None
        );
    }

    proptest! {
        #[test]
        fn what_an_amount_covers_it_pays_for(amount in 0..10_000_000_i64, input in 0..10_000_u64) {
            let amount = Money::from_nano(amount);
            let covered = PRICES.output_within(amount, input).expect("it has a price");
            if covered > 0 {
                prop_assert!(PRICES.worst(input, covered).expect("a cost") <= amount);
            }
            prop_assert!(PRICES.worst(input, covered + 1).expect("a cost") > amount);
        }

        #[test]
        fn splitting_an_answer_never_makes_it_cheaper(a in 0..1_000_000_u64, b in 0..1_000_000_u64) {
            let cost = |input| nano(PRICES, counts(input, 0, 0)).unwrap_or_default();
            let (together, apart) = (cost(a + b), cost(a) + cost(b));
            prop_assert!(together <= apart && apart <= together + 1);
        }
    }
}
