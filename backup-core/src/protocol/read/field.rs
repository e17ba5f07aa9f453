use serde::{
    Deserializer,
    de::{
        DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Unexpected, Visitor,
        value::{SeqDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Value, map};

use super::fault::Fault;

/// The longest name of a field that is shown.
const LONGEST: usize = 64;

/// The value of a field, read so that what is wrong with it is told by [`Fault`]s.
pub(super) struct Field(pub(super) Value);

impl<'de> Deserializer<'de> for Field {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
            Value::String(text) if holds_password(&text) => Err(secret()),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Field))),
            Value::Object(fields) => visitor.visit_map(Fields { left: fields.into_iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(name) => {
                let name: StringDeserializer<Fault> = name.into_deserializer();
                visitor.visit_enum(name)
            }
            _ => Err(Fault::invalid_type(Unexpected::Other(""), &"one of a few words")
                .with_suggestion(format!("choose one of {}", names.join(", ")))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Fault> for Field {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Fields {
    left: map::IntoIter,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        if holds_password(&name) {
            return Err(secret());
        }
        let key: StringDeserializer<Fault> = name.clone().into_deserializer();
        self.value = Some((name, value));
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) = self.value.take().ok_or_else(|| Fault::new("a field without a value"))?;
        seed.deserialize(Field(value)).map_err(|fault| fault.within(&name))
    }
}

/// A field's name as it may be shown: short, on one line, and without what may be a secret.
pub(super) fn shown(name: &str) -> String {
    if name.len() > LONGEST || holds_password(name) {
        return "…".to_owned();
    }
    name.escape_debug().to_string()
}

/// Whether a text seems to hold a password: of a URL such as `postgresql://me:secret@host/shop`, or of a connection
/// string. None belongs into a request, and some texts of it are kept in a manifest, which is no place for one.
pub(super) fn holds_password(text: &str) -> bool {
    let in_url = text.match_indices("://").any(|(at, _)| {
        let rest = text.get(at + 3..).unwrap_or_default();
        let rest = rest.split_whitespace().next().unwrap_or_default();
        // A password may hold a slash where somebody forgot to encode it; a path of the web may hold `:` and `@`.
        let is_web =
            text.get(..at).is_some_and(|before| before.ends_with("http") || before.ends_with("https"));
        let end = if is_web { rest.find(['/', '?', '#']).unwrap_or(rest.len()) } else { rest.len() };
        let login = rest.get(..end).and_then(|part| part.rsplit_once('@')).map(|(login, _)| login);
        login.is_some_and(|login| login.split_once(':').is_some_and(|(_, password)| !password.is_empty()))
    });
    in_url || text.to_ascii_lowercase().contains("password=")
}

fn secret() -> Fault {
    Fault::new("a request never holds a password").with_suggestion(
        "configure the database where the service runs, and name it here; change a password that was sent",
    )
}
