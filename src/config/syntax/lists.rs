//! Lists, written as a JSON array of texts or with commas.

use std::net::IpAddr;

use ipnet::IpNet;
use reqwest::Url;

use super::Syntax;
use super::text::is_function_name;
use crate::config::sections::ModelFallback;

/// The most entries of a list.
const MAX_ENTRIES: usize = 256;

/// The most models to try after one.
const MAX_FALLBACKS: usize = 8;

/// Networks and single addresses.
pub struct Cidrs;

impl Syntax for Cidrs {
    type Value = Vec<IpNet>;

    fn parse(&self, text: &str) -> Option<Vec<IpNet>> {
        parse_list(text)?
            .iter()
            .map(|entry| {
                let network = entry.parse::<IpNet>().ok();
                network.or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from))
            })
            .collect()
    }

    fn allowed(&self) -> String {
        "a list of networks or addresses, such as 10.0.0.0/8, 192.0.2.1".to_owned()
    }
}

/// Names of Edge Functions.
pub struct FunctionNames;

impl Syntax for FunctionNames {
    type Value = Vec<String>;

    fn parse(&self, text: &str) -> Option<Vec<String>> {
        let names = parse_list(text)?;
        names.iter().all(|name| is_function_name(name)).then_some(names)
    }

    fn allowed(&self) -> String {
        "a list of names of letters, digits, - and _".to_owned()
    }
}

/// Origins as browsers send them, or `*` alone.
pub struct Origins;

impl Syntax for Origins {
    type Value = Vec<String>;

    fn parse(&self, text: &str) -> Option<Vec<String>> {
        let origins = parse_list(text)?;
        let any = origins.len() == 1 && origins[0] == "*";
        (any || origins.iter().all(|origin| is_origin(origin))).then_some(origins)
    }

    fn allowed(&self) -> String {
        "a list of origins such as https://app.example.com (lower case, no path, no standard port), or * alone"
            .to_owned()
    }
}

/// Whether a browser could send exactly this as `Origin`. Apps and extensions have schemes of their own.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let plain = !authority.is_empty()
        && authority
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    match Url::parse(text) {
        Ok(url) if matches!(scheme, "http" | "https") => plain && url.origin().ascii_serialization() == text,
        Ok(url) => plain && url.scheme() == scheme,
        Err(_) => false,
    }
}

/// What to ask when a model cannot answer: `model=a|b`, separated by commas.
pub struct Fallbacks;

impl Syntax for Fallbacks {
    type Value = Vec<ModelFallback>;

    fn parse(&self, text: &str) -> Option<Vec<ModelFallback>> {
        let mut all: Vec<ModelFallback> = Vec::new();
        for entry in parse_list(text)? {
            let fallback = parse_fallback(&entry)?;
            if all.iter().any(|other| other.model == fallback.model) {
                return None;
            }
            all.push(fallback);
        }
        Some(all)
    }

    fn allowed(&self) -> String {
        format!(
            "a list of model=other|another, each model once, with at most {MAX_FALLBACKS} others and itself not among them"
        )
    }
}

fn parse_fallback(entry: &str) -> Option<ModelFallback> {
    let (model, others) = entry.split_once('=')?;
    let model = model.trim();
    let fallbacks: Vec<String> = others.split('|').map(|other| other.trim().to_owned()).collect();
    let valid = !model.is_empty()
        && fallbacks.len() <= MAX_FALLBACKS
        && fallbacks.iter().all(|other| !other.is_empty() && other != model);
    valid.then(|| ModelFallback {
        model: model.to_owned(),
        fallbacks,
    })
}

/// The entries of a JSON array of texts, or of a comma list, without empty ones.
pub fn parse_list(text: &str) -> Option<Vec<String>> {
    let entries: Vec<String> = if text.starts_with('[') {
        serde_json::from_str(text).ok()?
    } else {
        text.split(',').map(str::to_owned).collect()
    };
    let entries: Vec<String> = entries
        .iter()
        .map(|entry| entry.trim())
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect();
    (entries.len() <= MAX_ENTRIES).then_some(entries)
}
