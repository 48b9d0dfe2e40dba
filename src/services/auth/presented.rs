//! Finds the credentials among a request's headers.

use http::{HeaderMap, HeaderName, header};

use super::AuthError;

/// Where an API key may be sent instead of `Authorization`.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What every API key begins with, and no access token does: a token is base64 of an object.
pub const API_KEY_PREFIX: &str = "sk-aco-";

/// What a request was sent with; nothing of it has been checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presented<'r> {
    /// Something to be verified as an access token.
    Token(&'r str),
    /// Something to be verified as an API key.
    ApiKey(&'r str),
}

impl<'r> Presented<'r> {
    /// The credentials in `Authorization: Bearer <token or API key>`, or in `X-API-Key`.
    ///
    /// `Authorization` wins: a gateway in front may have sent an `X-API-Key` of its own.
    ///
    /// # Errors
    /// [`AuthError::MissingHeader`] without either header, [`AuthError::InvalidFormat`] if the one that counts is sent
    /// more than once, or holds something else.
    pub fn find(headers: &'r HeaderMap) -> Result<Self, AuthError> {
        match bearer_token(headers) {
            Ok(key) if key.starts_with(API_KEY_PREFIX) => Ok(Self::ApiKey(key)),
            Ok(token) => Ok(Self::Token(token)),
            Err(AuthError::MissingHeader) => only(headers, &X_API_KEY).map(Self::ApiKey),
            Err(refusal) => Err(refusal),
        }
    }
}

/// The token in `Authorization: Bearer <token>`. The scheme's case does not matter (RFC 9110).
///
/// # Errors
/// [`AuthError::MissingHeader`] without the header, [`AuthError::InvalidFormat`] if it holds anything but one
/// bearer token, or is sent more than once.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, AuthError> {
    let text = only(headers, &header::AUTHORIZATION)?;
    let (scheme, token) = text.split_once(' ').ok_or(AuthError::InvalidFormat)?;
    let token = token.trim_start();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains(char::is_whitespace) {
        return Err(AuthError::InvalidFormat);
    }
    Ok(token)
}

/// The text of a header that has to be sent once.
fn only<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Result<&'r str, AuthError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(AuthError::MissingHeader)?;
    if values.next().is_some() {
        return Err(AuthError::InvalidFormat);
    }
    let text = value.to_str().map_err(|_| AuthError::InvalidFormat)?;
    Ok(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found, in a form that can be printed.
    fn find(headers: &[(&'static str, &str)]) -> Result<(&'static str, String), AuthError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header value"));
        }
        Presented::find(&map).map(|presented| match presented {
            Presented::Token(token) => ("token", token.to_owned()),
            Presented::ApiKey(key) => ("key", key.to_owned()),
        })
    }

    #[test]
    fn takes_one_bearer_token_and_nothing_else() {
        let token = Ok(("token", "abc".to_owned()));
        assert_eq!(find(&[("authorization", "Bearer abc")]), token);
        assert_eq!(find(&[("authorization", "bearer   abc")]), token);
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Basic abc",
            "abc",
            "Bearer a b",
            "Bearer: abc",
        ] {
            let found = find(&[("authorization", bad)]);
            assert_eq!(found, Err(AuthError::InvalidFormat), "{bad:?}");
        }
        assert_eq!(find(&[]), Err(AuthError::MissingHeader));
    }

    #[test]
    fn tells_keys_from_tokens() {
        let key = Ok(("key", "sk-aco-a-b".to_owned()));
        assert_eq!(find(&[("authorization", "Bearer sk-aco-a-b")]), key);
        assert_eq!(find(&[("x-api-key", "sk-aco-a-b")]), key);
        assert_eq!(find(&[("x-api-key", "abc")]), Ok(("key", "abc".to_owned())));
    }

    #[test]
    fn authorization_wins() {
        let of_gateway = ("x-api-key", "of a gateway");
        let found = find(&[of_gateway, ("authorization", "Bearer abc")]);
        assert_eq!(found, Ok(("token", "abc".to_owned())));
        let found = find(&[of_gateway, ("authorization", "Basic abc")]);
        assert_eq!(found, Err(AuthError::InvalidFormat));
    }

    #[test]
    fn refuses_two_headers() {
        for name in ["authorization", "x-api-key"] {
            let two = [(name, "Bearer a"), (name, "Bearer b")];
            assert_eq!(find(&two), Err(AuthError::InvalidFormat), "{name}");
        }
    }
}
