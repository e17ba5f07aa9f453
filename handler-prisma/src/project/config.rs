//! Reads `prisma.config.*` without running it: the object that it exports, as far as that is written out.

use crate::schema::Value;

mod object;
mod script;

use object::Expression;

/// What a config file says, as far as it can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ConfigFile {
    /// `schema`.
    pub(super) schema: Option<Value>,
    /// `migrations.path`.
    pub(super) migrations: Option<Value>,
    /// `datasource.url`.
    pub(super) url: Option<Value>,
    /// `datasource.directUrl`.
    pub(super) direct_url: Option<Value>,
    /// Whether the connection is made by the project's own code: `engine: "js"`, or an adapter.
    pub(super) by_code: bool,
    /// Whether it exports an object that is written out.
    pub(super) is_readable: bool,
    /// The `.env` files that it loads itself, where they are named; `None` where it loads them by a way that cannot be
    /// read.
    pub(super) env_files: Option<Vec<String>>,
}

/// Reads the text of a config file; never fails, and never panics.
pub(super) fn read(text: &str) -> ConfigFile {
    let tokens = script::tokens(text);
    let mut config = ConfigFile { env_files: env_files(&tokens), ..ConfigFile::default() };
    let Some(exported) = object::exported(&tokens) else { return config };
    // What comes by `...spread` may set anything.
    config.is_readable = !exported.spreads();
    config.schema = exported.value("schema");
    if let Some(migrations) = exported.get("migrations") {
        config.migrations = migrations.value_or_computed("path");
    }
    match exported.get("datasource") {
        None => {}
        Some(datasource @ Expression::Object(_)) => {
            config.url = datasource.value_or_computed("url");
            config.direct_url = datasource.value_or_computed("directUrl");
        }
        Some(_) => config.url = Some(Value::Computed),
    }
    let is_js = exported.value("engine") == Some(Value::Literal("js".to_owned()));
    config.by_code = is_js || exported.get("adapter").is_some();
    config
}

/// `import "dotenv/config"` and `dotenv.config({ path: … })`.
fn env_files(tokens: &[script::Token]) -> Option<Vec<String>> {
    use script::Token::{Symbol, Text, Word};
    let mut files = Vec::new();
    let names_dotenv = |text: &str| text == "dotenv" || text == "@dotenvx/dotenvx";
    if tokens.iter().any(|token| matches!(token, Text(text) if text == "dotenv/config")) {
        files.push(".env".to_owned());
    }
    if tokens.iter().any(|token| matches!(token, Text(text) if names_dotenv(text))) {
        let mut calls = 0;
        for (at, token) in tokens.iter().enumerate() {
            let is_call = matches!(token, Word(word) if word == "config" || word == "loadEnvFile")
                && tokens.get(at + 1) == Some(&Symbol('('));
            if !is_call {
                continue;
            }
            calls += 1;
            let (argument, _) = object::expression(tokens.get(at + 2..).unwrap_or_default(), 0);
            match (argument, tokens.get(at + 2)) {
                (_, Some(Symbol(')'))) => files.push(".env".to_owned()),
                (Expression::Value(Value::Literal(path)), _) => files.push(path),
                (Expression::Object(fields), _) => match Expression::Object(fields).get("path") {
                    None => files.push(".env".to_owned()),
                    Some(Expression::Value(Value::Literal(path))) => files.push(path.clone()),
                    Some(_) => return None,
                },
                _ => return None,
            }
        }
        if calls == 0 && files.is_empty() {
            return None;
        }
    }
    Some(files)
}

#[cfg(test)]
mod tests;
