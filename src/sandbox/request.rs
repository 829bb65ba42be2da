//! What a request asks: the method and its parameters, read from a form the way PHP reads one.
//!
//! Responsible for both ways to send parameters, the typed one (`params=<JSON>`) and plain fields
//! (`constraints[ids][0]=1`), and the reading of single parameters with the server's complaints. Not responsible for
//! what the methods do with them.

use super::like::Like;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use url::form_urlencoded;

/// A call of a Conduit method.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The name of the method.
    pub(crate) method: String,
    /// The parameters, without those that are about the call itself.
    pub(crate) params: Map<String, Value>,
    /// The token, where one was sent; not a text where the client sent something else.
    pub(crate) token: Option<Value>,
    /// Whether the parameters came as JSON, so that a number is a number.
    pub(crate) typed: bool,
    /// The version of the server that is called.
    pub(crate) like: Like,
}

/// An answer of Conduit that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallRefusal {
    /// The code, `ERR-…`.
    pub(crate) code: &'static str,
    /// What servers say that have no code of its own for it, where they say it otherwise.
    old_info: Option<String>,
    /// The text, which may echo what was sent, the token included, as the real server's does.
    pub(crate) info: String,
}

impl CallRefusal {
    /// An error of this code.
    pub(crate) fn new(code: &'static str, info: impl Into<String>) -> Self {
        Self { code, old_info: None, info: info.into() }
    }

    /// The same, with what older servers say.
    pub(crate) fn formerly(self, info: impl Into<String>) -> Self {
        Self { old_info: Some(info.into()), ..self }
    }

    /// As servers answer that know few codes: those of the call itself, and one for everything else.
    pub(crate) fn in_old_words(self) -> Self {
        match self.code {
            "ERR-CONDUIT-CALL" if self.old_info.is_none() => self,
            "ERR-INVALID-AUTH" | "ERR-INVALID-SESSION" | "ERR-CONDUIT-CORE" => self,
            _ => Self::core(self.old_info.unwrap_or(self.info)),
        }
    }

    /// The error that most exceptions of the server become.
    pub(crate) fn core(info: impl Into<String>) -> Self {
        Self::new("ERR-CONDUIT-CORE", info)
    }

    /// Errors of the validation of an edit.
    pub(crate) fn validation(errors: &[String]) -> Self {
        let lines: Vec<String> = errors.iter().map(|error| format!("  - {error}")).collect();
        Self::core(format!("Validation errors:\n{}", lines.join("\n")))
    }
}

/// What a method answers: JSON in writing, since a page of a thousand rows would take far longer as a tree of values.
pub(crate) type Outcome = Result<Box<RawValue>, CallRefusal>;

/// Puts an answer in writing.
pub(crate) fn reply(answer: &impl Serialize) -> Outcome {
    to_raw_value(answer).map_err(|error| CallRefusal::core(format!("The sandbox cannot write its answer: {error}")))
}

/// The parameters that are about the call, where they come as fields.
const META: [&str; 5] = ["api.token", "access_token", "output", "__form__", "__conduit__"];

impl Call {
    /// Reads the body of a request.
    pub(crate) fn read(method: &str, content_type: &str, body: &[u8], like: Like) -> Result<Self, CallRefusal> {
        if content_type.starts_with("application/json") {
            return Err(CallRefusal::core(
                "Use form-encoded data to submit parameters to Conduit endpoints. Sending a JSON-encoded body and \
                 setting 'Content-Type': 'application/json' is not currently supported.",
            ));
        }
        let mut fields = parse_form(body);
        let typed = fields.get("params").and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let method = method.to_owned();
        if let Some(json) = typed {
            let Ok(Value::Object(mut params)) = serde_json::from_str(&json) else {
                let info = format!("Invalid parameter information was passed to method '{method}'.");
                return Err(CallRefusal::core(info));
            };
            let token = params.remove("__conduit__").and_then(|meta| meta.get("token").cloned());
            return Ok(Self { method, params, token, typed: true, like });
        }
        fields.remove("params");
        let token = fields.get("api.token").cloned();
        fields.retain(|name, _| !META.contains(&name.as_str()));
        Ok(Self { method, params: fields, token, typed: false, like })
    }

    /// The parameter, where it was sent and is not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.params.get(name).filter(|value| !value.is_null())
    }

    /// Refuses parameters that the method does not define.
    pub(crate) fn allow(&self, defined: &[&str]) -> Result<(), CallRefusal> {
        let unknown: Vec<String> = self
            .params
            .keys()
            .filter(|name| !defined.contains(&name.as_str()))
            .map(|name| format!("'{name}'"))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let info = format!("API Method \"{}\" does not define these parameters: {}.", self.method, unknown.join(", "));
        Err(CallRefusal::new("ERR-CONDUIT-CALL", info))
    }
}

/// A map that was sent as parameter, in which values are read one by one.
pub(crate) struct FormFields<'a> {
    map: Map<String, Value>,
    call: &'a Call,
}

impl<'a> FormFields<'a> {
    /// The constraints of a search, of which only `known` ones may be there.
    pub(crate) fn constraints(call: &'a Call, known: &[&str]) -> Result<Self, CallRefusal> {
        let map = as_map(call.get("constraints")).ok_or_else(|| {
            CallRefusal::new(
                "ERR-INVALID-CONSTRAINTS-FORMAT",
                "Parameter \"constraints\" must be a map of constraints.",
            )
        })?;
        if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
            let info = "Parameter \"constraints\" includes an invalid key.";
            let formerly = format!("Constraint \"{key}\" is not a valid constraint for this query.");
            return Err(CallRefusal::new("ERR-INVALID-CONSTRAINT", info).formerly(formerly));
        }
        Ok(Self { map, call })
    }

    /// Refuses what the real server would act upon and the sandbox cannot: ignoring it would widen the search.
    pub(crate) fn unsupported(&self, names: &[&str]) -> Result<(), CallRefusal> {
        match names.iter().find(|name| self.value(name).is_some()) {
            Some(name) => Err(CallRefusal::core(format!("The sandbox does not support the constraint \"{name}\"."))),
            None => Ok(()),
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A list of texts; `None` where the constraint is absent or an empty list, which the server takes for absent.
    pub(crate) fn strings(&self, name: &str) -> Result<Option<Vec<String>>, CallRefusal> {
        match self.value(name) {
            Some(value) => Ok(Some(string_list(name, value)?).filter(|list| !list.is_empty())),
            None => Ok(None),
        }
    }

    /// A list of PHIDs, which must not be empty.
    pub(crate) fn phids(&self, name: &str) -> Result<Option<Vec<String>>, CallRefusal> {
        let Some(value) = self.value(name) else { return Ok(None) };
        nonempty(name, string_list(name, value)?).map(Some)
    }

    /// A list of numbers, which must not be empty.
    pub(crate) fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, CallRefusal> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let read = |(index, item)| {
            integer(item, self.call.typed)
                .ok_or_else(|| mistaken(&format!("{name}[{index}]"), "Expected integer, got something else."))
        };
        let numbers = list(name, value)?.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        nonempty(name, numbers).map(Some)
    }

    /// A number.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, CallRefusal> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = integer(value, self.call.typed);
        number.map(Some).ok_or_else(|| mistaken(name, "Expected integer, got something else."))
    }

    /// A text.
    pub(crate) fn string(&self, name: &str) -> Result<Option<String>, CallRefusal> {
        let Some(value) = self.value(name) else { return Ok(None) };
        text(name, value).map(Some)
    }

    /// A yes or no.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, CallRefusal> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(word)) if !self.call.typed => Ok(Some(matches!(word.as_str(), "1" | "true"))),
            Some(_) => Err(mistaken(name, "Expected boolean (true or false), got something else.")),
        }
    }
}

fn nonempty<T>(name: &str, items: Vec<T>) -> Result<Vec<T>, CallRefusal> {
    match items.is_empty() {
        true => Err(mistaken(name, "Expected a nonempty list, but value is an empty list.")),
        false => Ok(items),
    }
}

/// The complaint about a parameter that is not what it should be.
fn mistaken(name: &str, complaint: &str) -> CallRefusal {
    CallRefusal::core(format!("Error while reading \"{name}\": {complaint}"))
}

/// A map, where an empty list stands for an empty map as in PHP; `None` where it is neither.
pub(crate) fn as_map(value: Option<&Value>) -> Option<Map<String, Value>> {
    match value {
        None => Some(Map::new()),
        Some(Value::Object(map)) => Some(map.clone()),
        Some(Value::Array(items)) => {
            Some(items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone())).collect())
        }
        Some(_) => None,
    }
}

/// A list.
pub(crate) fn list<'v>(name: &str, value: &'v Value) -> Result<&'v Vec<Value>, CallRefusal> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(_) => Err(mistaken(name, "Expected a list, but value is an object.")),
        _ => Err(mistaken(name, "Expected a list, but value is not a list.")),
    }
}

/// A list of texts.
pub(crate) fn string_list(name: &str, value: &Value) -> Result<Vec<String>, CallRefusal> {
    let read = |(index, item)| text(&format!("{name}[{index}]"), item);
    list(name, value)?.iter().enumerate().map(read).collect()
}

/// A text.
pub(crate) fn text(name: &str, value: &Value) -> Result<String, CallRefusal> {
    value.as_str().map(str::to_owned).ok_or_else(|| mistaken(name, "Expected string, got something else."))
}

/// A number; in plain fields also one that is written as a text.
pub(crate) fn integer(value: &Value, typed: bool) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) if !typed => digits.parse().ok(),
        _ => None,
    }
}

/// Reads form fields as PHP does: `a[b][0]=c` is a map in a map, `a[]=b` appends, keys 0, 1, 2 make a list.
fn parse_form(body: &[u8]) -> Map<String, Value> {
    let mut root = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let (head, path) = split_name(&name);
        insert(&mut root, head, &path, Value::String(value.into_owned()));
    }
    root.into_iter().map(|(name, value)| (name, lists(value))).collect()
}

/// `a[b][0]` as `a` and `b`, `0`. A bracket that is not closed belongs to the name.
fn split_name(name: &str) -> (&str, Vec<&str>) {
    let Some((head, mut rest)) = name.split_once('[').filter(|(_, rest)| rest.contains(']')) else {
        return (name, Vec::new());
    };
    let mut path = Vec::new();
    while let Some((key, after)) = rest.split_once(']') {
        path.push(key);
        match after.strip_prefix('[') {
            Some(next) => rest = next,
            None => break,
        }
    }
    (head, path)
}

fn insert(map: &mut Map<String, Value>, key: &str, path: &[&str], value: Value) {
    let key = if key.is_empty() { map.len().to_string() } else { key.to_owned() };
    let Some((next, rest)) = path.split_first() else {
        map.insert(key, value);
        return;
    };
    let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Value::Object(inner) = slot {
        insert(inner, next, rest, value);
    }
}

/// Turns maps with the keys 0, 1, 2 … into lists.
fn lists(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let count = map.len();
    let mut map: Map<String, Value> = map.into_iter().map(|(key, value)| (key, lists(value))).collect();
    if count == 0 || !(0..count).all(|index| map.contains_key(&index.to_string())) {
        return Value::Object(map);
    }
    Value::Array((0..count).filter_map(|index| map.remove(&index.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn plain_fields_become_lists_and_maps_of_texts() {
        let body = b"api.token=t&output=json&constraints[ids][0]=1&constraints%5Bids%5D%5B1%5D=2&constraints[x][a]=b&l[]=p&l[]=q&o[=1";
        let call = Call::read("m", FORM, body, Like::Master).unwrap();
        assert!(!call.typed);
        assert_eq!(call.token, Some(json!("t")));
        assert_eq!(
            Value::Object(call.params),
            json!({"constraints": {"ids": ["1", "2"], "x": {"a": "b"}}, "l": ["p", "q"], "o[": "1"})
        );
    }

    #[test]
    fn the_typed_way_keeps_the_types_and_takes_the_token_out() {
        let body = b"params={\"__conduit__\":{\"token\":\"t\"},\"limit\":2}&output=json&api.token=other";
        let call = Call::read("m", FORM, body, Like::Master).unwrap();
        assert!(call.typed);
        assert_eq!(call.token, Some(json!("t")));
        assert_eq!(Value::Object(call.params), json!({"limit": 2}));
    }

    #[test]
    fn json_bodies_and_broken_params_are_refused() {
        assert!(
            Call::read("m", "application/json", b"{}", Like::Master)
                .unwrap_err()
                .info
                .starts_with("Use form-encoded data")
        );
        let refusal = Call::read("m", FORM, b"params=[broken", Like::Master).unwrap_err();
        assert_eq!(refusal.info, "Invalid parameter information was passed to method 'm'.");
    }

    #[test]
    fn a_number_as_text_is_one_only_in_plain_fields() {
        assert_eq!(integer(&json!("5"), false), Some(5));
        assert_eq!(integer(&json!("5"), true), None);
        assert_eq!(integer(&json!(1.5), true), None);
    }
}
