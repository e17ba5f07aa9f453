//! A plan in words.

use std::fmt;

use super::{Decision, KeepReason, Plan, Planned};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (moving, all) = (self.moves().count(), self.objects.len());
        writeln!(f, "{moving} of {all} objects would move, {} bytes", self.moved_bytes())?;
        let with_kept = !f.alternate();
        for Planned { object, decision } in &self.objects {
            let age = self.made_at.signed_duration_since(object.created_at).num_days();
            let (class, bytes, key) = (&object.class, object.bytes, &object.key);
            match decision {
                Decision::Move { to, after_days } => {
                    writeln!(
                        f,
                        "  MOVE  {class:13}  {age:>5} d  {bytes:>15} B  {key}  to {to}: older than {after_days} days"
                    )?;
                }
                Decision::Keep { reason } if with_kept => {
                    writeln!(f, "  keep  {class:13}  {age:>5} d  {bytes:>15} B  {key}  {reason}")?;
                }
                Decision::Keep { .. } => {}
            }
        }
        Ok(())
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "a record, which stays quick to read",
            Self::TooYoung => "no rule is for its age",
            Self::InPlace => "in place",
            Self::Colder => "colder already",
            Self::TooSmall => "too small to pay",
            Self::MovedByService => "moved by the service itself",
            Self::UnknownClass => "of a class that no rule knows",
        })
    }
}
