use proptest::prelude::*;

use super::*;

#[allow(clippy::unnecessary_wraps)] // As a field holds it.
fn env(name: &str) -> Option<Value> {
    Some(Value::Env(name.to_owned()))
}

#[allow(clippy::unnecessary_wraps)] // As above.
fn literal(text: &str) -> Option<Value> {
    Some(Value::Literal(text.to_owned()))
}

#[test]
fn the_usual_file_is_read() {
    let config = read(
        "import 'dotenv/config'\nimport { defineConfig, env } from 'prisma/config'\n\
         export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'db/migrations', seed: 'x' },\n\
         datasource: { url: env('DATABASE_URL'), shadowDatabaseUrl: env('SHADOW') } })\n",
    );
    assert_eq!(config.schema, literal("prisma/schema.prisma"));
    assert_eq!(config.migrations, literal("db/migrations"));
    assert_eq!((config.url, config.direct_url), (env("DATABASE_URL"), None));
    assert_eq!(config.env_files, Some(vec![".env".to_owned()]));
    assert!(config.is_readable && !config.by_code);
}

#[test]
fn every_way_to_name_a_variable_is_read() {
    for (text, expected) in [
        ("env('A')", env("A")),
        ("env<Env>(\"A\")", env("A")),
        ("process.env.A", env("A")),
        ("process.env.A!", env("A")),
        ("process.env['A'] as string", env("A")),
        ("process.env.A ?? 'file:b'", Some(Value::EnvOr("A".to_owned(), "file:b".to_owned()))),
        ("process.env.A || \"file:b\"", Some(Value::EnvOr("A".to_owned(), "file:b".to_owned()))),
        ("`file:c`", literal("file:c")),
        ("`file:${c}`", Some(Value::Computed)),
        ("process.env.A + '?x'", Some(Value::Computed)),
        ("secrets.get('A')", Some(Value::Computed)),
        ("a ? 'x' : 'y'", Some(Value::Computed)),
    ] {
        let config = read(&format!("export default {{ datasource: {{ directUrl: 'd', url: {text}, }}, }}"));
        assert_eq!(config.url, expected, "{text}");
        assert_eq!(config.direct_url, literal("d"), "{text}");
    }
}

#[test]
fn other_shapes_of_a_file_are_read() {
    let url = |text: &str| read(text).url;
    assert_eq!(url("module.exports = { datasource: { url: 'u' } }"), literal("u"));
    assert_eq!(url("export default { datasource: { url: 'u' } } satisfies PrismaConfig"), literal("u"));
    assert_eq!(
        url("const c = defineConfig({ 'datasource': { \"url\": 'u' } }); export default c"),
        literal("u")
    );
    assert_eq!(
        url(
            "// datasource: { url: 'a' }\n/* { url: 'b' } */ const r = /\"{/; export default defineConfig({ a: /'}/, b() { return { url: 'c' } }, datasource: { url: 'u' } })"
        ),
        literal("u")
    );
}

#[test]
fn what_is_hidden_in_code_is_not_guessed() {
    assert!(!read("import c from './c'\nexport default c").is_readable);
    assert!(!read("export default defineConfig({ ...base, schema: 'a' })").is_readable);
    assert_eq!(read("export default { datasource }").url, Some(Value::Computed));
    assert_eq!(read("export default { datasource: { ...base } }").url, Some(Value::Computed));
    for text in
        ["engine: 'js', adapter: async () => new A({ url: 'x' })", "adapter", "async adapter() { return x }"]
    {
        assert!(read(&format!("export default defineConfig({{ {text} }})")).by_code, "{text}");
    }
}

#[test]
fn the_env_files_that_it_loads_are_known() {
    let files = |text: &str| read(&format!("{text}\nexport default {{}}")).env_files;
    let one = |name: &str| Some(vec![name.to_owned()]);
    assert_eq!(files(""), Some(Vec::new()));
    assert_eq!(files("require('dotenv').config()"), one(".env"));
    assert_eq!(files("import dotenv from 'dotenv'; dotenv.config({ path: '.env.ci' })"), one(".env.ci"));
    assert_eq!(files("import { config } from 'dotenv'; config({ path: where() })"), None);
}

#[test]
fn paths_that_are_joined_of_literals_are_read() {
    let schema = |text: &str| read(&format!("export default {{ schema: {text} }}")).schema;
    assert_eq!(schema("path.join('prisma', 'schema.prisma')"), literal("prisma/schema.prisma"));
    assert_eq!(schema("path.join(__dirname, 'db', 'schema')"), literal("db/schema"));
    assert_eq!(schema("path.resolve(import.meta.dirname, 'db')"), literal("db"));
    assert_eq!(schema("path.join(root, 'db')"), Some(Value::Computed));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn no_mixture_of_its_own_parts_makes_it_panic(parts in prop::collection::vec(
        prop::sample::select(vec!["export default ", "defineConfig", "(", ")", "{", "}", "[", "]", ":", ",", "'", "\"", "`", "${", "/",
            "//", "/*", "\\", "...", "url", "datasource", "env", "process.env.", "path.join", "async ", "\n", "dotenv", "config", "ä"]), 0..80)) {
        read(&parts.concat());
    }

    /// Objects in objects, deeper than any stack likes, end too.
    #[test]
    fn depth_is_bounded(depth in 1_usize..3000) {
        read(&format!("export default {}{}", "{ a: ".repeat(depth), "}".repeat(depth)));
    }
}
