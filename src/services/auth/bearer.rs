//! Finds the bearer token among a request's headers.

use http::{HeaderMap, header};

use super::AuthError;

/// The token in `Authorization: Bearer <token>`. The scheme's case does not matter (RFC 9110).
///
/// # Errors
/// [`AuthError::MissingHeader`] without the header, [`AuthError::InvalidFormat`] if it holds anything but one
/// bearer token, or is sent more than once.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, AuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthError::MissingHeader)?;
    if values.next().is_some() {
        return Err(AuthError::InvalidFormat);
    }
    let text = value.to_str().map_err(|_| AuthError::InvalidFormat)?;
    let (scheme, token) = text.trim().split_once(' ').ok_or(AuthError::InvalidFormat)?;
    let token = token.trim_start();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains(char::is_whitespace) {
        return Err(AuthError::InvalidFormat);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<String, AuthError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().expect("a header value"));
        bearer_token(&headers).map(str::to_owned)
    }

    #[test]
    fn takes_one_bearer_token_and_nothing_else() {
        assert_eq!(parse("Bearer abc"), Ok("abc".to_owned()));
        assert_eq!(parse("bearer   abc"), Ok("abc".to_owned()));
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Basic abc",
            "abc",
            "Bearer a b",
            "Bearer: abc",
        ] {
            assert_eq!(parse(bad), Err(AuthError::InvalidFormat), "{bad:?}");
        }
        assert_eq!(bearer_token(&HeaderMap::new()), Err(AuthError::MissingHeader));
    }

    #[test]
    fn refuses_two_headers() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, "Bearer a".parse().expect("a header value"));
        headers.append(header::AUTHORIZATION, "Bearer b".parse().expect("a header value"));
        assert_eq!(bearer_token(&headers), Err(AuthError::InvalidFormat));
    }
}
