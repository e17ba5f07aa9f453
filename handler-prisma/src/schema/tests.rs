use proptest::prelude::*;

use super::*;

const SCHEMA: &str = r#"
// datasource old { provider = "mysql" url = "mysql://nobody:secret@old/db" }
/* datasource older {
   provider = "sqlite" } */
generator client {
  provider = "prisma-client-js" // }
  output   = "../src/{generated}"
}
/// datasource doc { provider = "doc" }
datasource db {
  provider     = "postgresql" // the real one
  url          = env("DATABASE_URL")
  directUrl    = env( "DIRECT_URL" )
  schemas      = ["shop", "audit"] extensions = [citext, postgis(version: "3.3")]
  relationMode = "prisma"
}
model datasource {
  id  Int @id @default(dbgenerated("datasource x { provider = \"evil\" }"))
  url String @map("
    } datasource y {
  ")
}
enum E { A @map("}") B }
"#;

#[test]
fn the_block_is_found_between_everything_that_looks_like_one() {
    let found = datasources(SCHEMA);
    let expected = Datasource {
        name: "db".to_owned(),
        provider: Some(Value::Literal("postgresql".to_owned())),
        url: Some(Value::Env("DATABASE_URL".to_owned())),
        direct_url: Some(Value::Env("DIRECT_URL".to_owned())),
        schemas: vec!["shop".to_owned(), "audit".to_owned()],
    };
    assert_eq!(found, [expected]);
}

#[test]
fn strings_are_unescaped_as_prisma_does() {
    let text = r#"datasource a { provider = "sqlite" url = "file:\"q\" \\ \u00e4\ud83d\ude00 \/ .db" }"#;
    let url = datasources(text)[0].url.clone();
    assert_eq!(url, Some(Value::Literal("file:\"q\" \\ ä😀 / .db".to_owned())));
}

#[test]
fn exactly_one_block_is_taken_from_all_files() {
    let (at, block) = only_datasource(["model A { id Int @id }", SCHEMA]).unwrap();
    assert_eq!((at, block.name.as_str()), (1, "db"));
    assert_eq!(only_datasource(["", "// datasource"]).unwrap_err().code(), "invalid_input");
    let err = only_datasource([SCHEMA, SCHEMA]).unwrap_err();
    assert_eq!(err.message(), "the Prisma schema has several datasource blocks");
}

#[test]
fn a_url_in_a_schema_is_not_shown() {
    let text = r#"datasource a { provider = "mysql" url = "mysql://u:secret@h/d" }"#;
    assert!(!format!("{:?}", datasources(text)).contains("secret"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_it_panic_or_hang(text in any::<String>()) {
        let letters = text.chars().count();
        prop_assert!(Tokens::of(&text).count() <= letters);
        let _found = datasources(&text);
    }

    #[test]
    fn no_mixture_of_its_own_parts_makes_it_panic(parts in prop::collection::vec(
        prop::sample::select(vec!["datasource", " db ", "{", "}", "\"", "\\", "\\u", "d83d", "//", "/*", "*/", "\n", "=", "env", "(",
            ")", "[", "]", "url", "schemas", "ä", "\u{feff}", "provider"]), 0..60)) {
        let _found = datasources(&parts.concat());
    }

    /// Whatever stands in comments and strings around it, the block says the same.
    #[test]
    fn what_is_around_it_does_not_matter(noise in "[^\0]{0,40}") {
        let comment = noise.replace(['\n', '\r'], " ");
        let string = noise.replace('\\', "").replace('"', "'");
        let text = format!(
            "// {comment}\nmodel A {{ x String @default(\"{string}\") }}\ndatasource db {{ // {comment}\n provider = \"sqlite\"\n}}"
        );
        let found = datasources(&text);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(&found[0].provider, &Some(Value::Literal("sqlite".to_owned())));
    }
}
