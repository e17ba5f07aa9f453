use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// How many backups are kept: written as a number, or `"forever"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Count {
    /// The newest so many.
    Last(u32),
    /// All.
    Forever,
}

const FOREVER: &str = "forever";

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Last(count) => serializer.serialize_u32(*count),
            Self::Forever => serializer.serialize_str(FOREVER),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number, or \"forever\"")]
        enum Written {
            Number(u32),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(count) => Ok(Self::Last(count)),
            Written::Word(word) if word == FOREVER => Ok(Self::Forever),
            Written::Word(_) => Err(D::Error::custom("a number, or \"forever\", is expected")),
        }
    }
}
