//! What the shell on the other host is told: pure text, quoted for a POSIX shell.
//!
//! The command line is the same for every tool, and simple enough for any login shell; everything else is read
//! from standard input, line by line, by the `read` that is a part of the shell and takes no byte too many.

use std::ffi::OsStr;

use zeroize::Zeroizing;

use super::{
    super::{Tool, files::FIRST_FD},
    WireCompression,
};
use crate::{Error, ErrorKind, Result};

/// The command that `ssh` is given. No login shell, not even `csh` or `fish`, changes anything in it.
pub(in crate::process) const BOOTSTRAP: &str = r#"exec sh -c 'IFS= read -r l && eval "$l"'"#;

/// Sees to it that the shell leads a process group of its own, so that all of it can be ended.
///
/// Sshd makes one for every command; other servers may not.
const LEADER: &str = r#"{ read -r p c s u e f </proc/$$/stat || e=$(ps -o pgid= -p $$); } 2>/dev/null; if [ "$e" -eq $$ ] 2>/dev/null; then lead=1; else lead=0; fi; if [ $lead = 0 ] && command -v setsid >/dev/null 2>&1; then exec setsid sh -c 'lead=1; IFS= read -r l && eval "$l"'; fi; IFS= read -r l && eval "$l""#;

/// Reads the script up to the line that is its token: one that was cut off is never run.
const LOADER: &str = r#"n=$(printf '\n.'); n=${n%.}; s=; while IFS= read -r l && [ "$l" != TOKEN ]; do s=$s$l$n; done; [ "$l" = TOKEN ] || exit 70; l=; eval "$s""#;

/// Standard error is kept aside for the tool, and for lines that begin with the token, which are for us.
///
/// `linger` gives what the tool left behind some seconds, if there is anything but the caller in the group: where it
/// holds the output open, the reader has to see that, and not a clean end.
const START: &str = r#"
trap : HUP INT TERM
exec 8>&2 2>/dev/null 9<&0 </dev/null
if [ "$lead" != 1 ]; then echo 'TOKEN group' >&8; exit 70; fi
linger() {
  for i in 1 2 3 4 5 6 7 8; do
    alive=0
    for stat in $(grep -ls ") [A-Z] [0-9]* $$ " /proc/[0-9]*/stat); do
      stat=${stat%/stat}
      kill -s 0 "${stat#/proc/}" && alive=$((alive + 1))
    done
    [ $alive != 1 ] || break
    sleep 1
  done
}
"#;

/// For what is secret and not plain: a `printf` that is a program would show it among its arguments.
const PUT: &str = r#"
case $(command -V printf) in *builtin*) ;; *) echo 'TOKEN shell' >&8; exit 70 ;; esac
put() { printf '%s' "$1"; }
"#;

/// Ends the group when the lifeline does: with a warning while the tool is at work.
///
/// The lifeline also ends with the shell that waits for the tool.
const WATCH: &str = r"
{
  while IFS= read -r l; do :; done
  if kill -s 0 $$; then
    trap '' TERM
    kill -s TERM 0
    for i in 1 2; do kill -s 0 $$ || break; sleep 1; done
  else
    linger
  fi
  kill -s KILL 0
} <&9 >/dev/null 2>&1 8>&- 9<&- &
exec 9<&-
echo 'TOKEN ready' >&8
echo TOKEN
";

/// Hands the frames of the body to the tool, and closes the pipe only after the last one.
///
/// The inner shell reads, the outer one holds the pipe: whichever of them is killed, the tool is killed before it
/// can take a part for the whole. A tool that stopped reading gets the time to say why.
///
/// While a tool does not read, nobody sees the end of the lifeline. So something is printed every second, which our
/// side takes out: it cannot be printed any more when our side is gone.
///
/// `exec` and not redirections of the braces, as some shells keep open what they are to bring back afterwards.
///
/// Shells wait for a pipeline as a whole, and the reading side of this one stays until the lifeline ends: so the
/// other side calls the waiting shell away, and says the status.
const FEED: &str = r#"
trap 'exit 0' USR1
if dd count=0 iflag=fullblock </dev/null >/dev/null 2>&1
then block() { dd bs="$1" count=1 iflag=fullblock; }
else block() { dd bs=1 count="$1"; }
fi
echo 'TOKEN ready' >&8
echo TOKEN
{
  trap '' PIPE
  while sleep 1 >/dev/null; do echo 'TOKEN beat' || kill -s KILL 0; done
} </dev/null 8>&- 9<&- &
beat=$!
{
  exec <&9 2>/dev/null 8>&- 9<&-
  (
    while IFS= read -r l; do
      case $l in
        end) exit 0 ;;
        *[!0-9]* | '') exit 1 ;;
        *) block "$l" || exit 2 ;;
      esac
    done
    exit 1
  )
  case $? in
    0)
      exec >/dev/null
      while IFS= read -r l; do :; done
      kill -s 0 $$ || linger
      ;;
    2) sleep 2 ;;
  esac
  kill -s KILL 0
} | {
  exec 9<&-
  tool
  s=$?
  if [ $s = 0 ]; then
    left=$(dd bs=1 count=1 | wc -c)
    [ "$left" -eq 0 ] || echo 'TOKEN left' >&8
  fi
  kill -s KILL $beat
  echo "TOKEN end $s" >&8
  exec >/dev/null 8>&-
  while kill -s USR1 $$; do sleep 1; done
} &
exec 8>&- 9<&-
wait
"#;

const STREAM: &str = r#"
tool
s=$?
echo "TOKEN end $s" >&8
exit "$s"
"#;

/// Two statuses: the tool's, and the compressor's as that of the whole.
const COMPRESSED: &str = r#"
command -v COMPRESSOR >/dev/null || { echo 'TOKEN wire' >&8; exit 127; }
{ tool; echo "TOKEN tool $?" >&8; } | COMMAND 2>&8 8>&-
s=$?
echo "TOKEN end $s" >&8
exit "$s"
"#;

/// How a tool's standard input and output are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::process) enum Use {
    /// Nothing to read, plain output.
    Stream,
    /// Nothing to read, compressed output.
    Compressed(WireCompression),
    /// A body to read, in frames.
    Feed,
}

/// Everything that is sent before the body.
pub(in crate::process) fn header(tool: &Tool, how: Use, token: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut text = Text(Zeroizing::new(Vec::new()));
    text.line(LEADER);
    text.line(&LOADER.replace("TOKEN", token));
    text.line(&START.replace("TOKEN", token));
    text.line(&PUT.replace("TOKEN", token));
    define(&mut text, tool, token)?;
    let run = match how {
        Use::Stream | Use::Compressed(WireCompression::None) => format!("{WATCH}{STREAM}"),
        Use::Compressed(WireCompression::Zstd) => compressed("zstd", "zstd -q -1 -T0 -c"),
        Use::Compressed(WireCompression::Gzip) => compressed("gzip", "gzip -q -1 -c"),
        Use::Feed => FEED.to_owned(),
    };
    text.line(&run.replace("TOKEN", token));
    text.line(token);
    Ok(text.0)
}

fn compressed(compressor: &str, command: &str) -> String {
    let run = COMPRESSED.replace("COMPRESSOR", compressor).replace("COMMAND", command);
    format!("{WATCH}{run}")
}

/// The tool as a function: a shell of its own, which gets the files as pipes and becomes the tool.
fn define(text: &mut Text, tool: &Tool, token: &str) -> Result<()> {
    text.line("tool() (");
    text.line("exec 7<&0");
    for (index, content) in tool.files.iter().enumerate() {
        let fd = FIRST_FD + index;
        text.add("put ");
        text.quoted(content.expose().as_bytes(), "a file's content")?;
        text.line(&format!(" | (\nexec {fd}<&0"));
    }
    text.line("exec 0<&7 7<&- 2>&8 8>&-");
    for name in &tool.env_remove {
        text.line(&format!("unset {}", variable(name)?));
    }
    for (name, value) in &tool.env {
        text.add(&format!("export {}=", variable(name)?));
        text.quoted(value.expose().as_bytes(), "a variable")?;
        text.line("");
    }
    let program = tool.program.as_os_str().as_encoded_bytes();
    text.add("p=");
    text.quoted(program, "the program")?;
    text.line("");
    if program.contains(&b'/') {
        text.line(&format!("[ -e \"$p\" ] || {{ echo '{token} missing' >&2; exit 127; }}"));
        text.line(&format!(
            "[ -x \"$p\" ] && [ ! -d \"$p\" ] || {{ echo '{token} refused' >&2; exit 126; }}"
        ));
    } else {
        text.line(&format!(
            "command -v \"$p\" >/dev/null 2>&1 || {{ echo '{token} missing' >&2; exit 127; }}"
        ));
    }
    text.add("exec \"$p\"");
    for arg in &tool.args {
        text.add(" ");
        text.quoted(arg.as_encoded_bytes(), "an argument")?;
    }
    text.line("");
    for _ in &tool.files {
        text.line(")");
    }
    text.line(")");
    Ok(())
}

fn variable(name: &OsStr) -> Result<&str> {
    let named = name.to_str().filter(|name| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    named.ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "the variable's name cannot be passed to another host")
            .with_context("variable", name.to_string_lossy())
    })
}

/// Shell text under way; wiped from memory, as it holds secrets.
struct Text(Zeroizing<Vec<u8>>);

impl Text {
    fn add(&mut self, text: &str) {
        self.push(text.as_bytes());
    }

    fn line(&mut self, text: &str) {
        self.push(text.as_bytes());
        self.push(b"\n");
    }

    /// Grows by copying, so that what is outgrown is wiped too.
    fn push(&mut self, bytes: &[u8]) {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut grown = Zeroizing::new(Vec::with_capacity((self.0.len() + bytes.len()) * 2));
            grown.extend_from_slice(&self.0);
            self.0 = grown;
        }
        self.0.extend_from_slice(bytes);
    }

    /// One word of the shell's, whatever it holds.
    ///
    /// Bytes outside of ASCII are written as octal numbers and put together by `printf`: some shells cannot read
    /// all of them.
    fn quoted(&mut self, bytes: &[u8], what: &'static str) -> Result<()> {
        if bytes.contains(&0) {
            return Err(Error::new(ErrorKind::InvalidInput, "an argument or variable holds a NUL byte")
                .with_context("what", what));
        }
        self.push(b"'");
        let is_plain = |byte: u8| byte == b'\n' || byte == b'\t' || (b' '..=b'~').contains(&byte);
        for run in bytes.chunk_by(|a, b| is_plain(*a) == is_plain(*b)) {
            if run.first().is_some_and(|byte| is_plain(*byte)) {
                for byte in run {
                    match byte {
                        b'\'' => self.push(br"'\''"),
                        byte => self.push(&[*byte]),
                    }
                }
            } else {
                self.push(b"'\"$(printf '");
                for byte in run {
                    self.push(format!("\\{byte:03o}").as_bytes());
                }
                self.push(b"')\"'");
            }
        }
        self.push(b"'");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
