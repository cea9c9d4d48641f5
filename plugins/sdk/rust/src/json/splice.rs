//! Writes an object with changes in one pass over its text: what is not changed is copied in pieces as long as possible.
//! Refuses to move or to reformat it.

use std::io::{self, Write};

use super::edit::{Change, Edit, New};
use super::object::Object;
use super::text;
use super::value::Value;

/// The object at hand, by the changes that concern it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'n, 'e> {
    /// Names on the way to it; those of `below`.
    depth: usize,
    below: Option<&'n Change<'e>>,
    /// Changes before this one were overruled.
    since: usize,
}

/// What the changes make of one member.
#[derive(Debug)]
enum Verdict<'n, 'e> {
    Keep,
    Remove,
    Set(&'n New<'e>),
    Within {
        scope: Scope<'n, 'e>,
        /// Of nothing, whatever was there.
        is_fresh: bool,
    },
}

impl<'e> Edit<'_, 'e> {
    /// The changes of a scope, each with its number and the name of the scope's member that it concerns.
    fn changes<'n>(&'n self, scope: Scope<'n, 'e>) -> impl Iterator<Item = (usize, &'n str, &'n Change<'e>)> {
        let all = self.all().enumerate().skip(scope.since);
        let above = scope.below.and_then(|change| change.path.names().get(..scope.depth)).unwrap_or_default();
        all.filter_map(move |(at, change)| {
            let names = change.path.names();
            let &name = names.get(scope.depth)?;
            names.starts_with(above).then_some((at, name, change))
        })
    }

    /// What becomes of a member, and the name that the changes have for it.
    fn verdict<'n>(
        &'n self,
        scope: Scope<'n, 'e>,
        is_named: impl Fn(&str) -> bool,
    ) -> Option<(&'n str, Verdict<'n, 'e>)> {
        let mut found = None;
        let depth = scope.depth + 1;
        for (at, name, change) in self.changes(scope).filter(|(_, name, _)| is_named(name)) {
            let verdict = match (&change.value, found.take()) {
                (Some(value), _) if change.path.names().len() == depth => Verdict::Set(value),
                (None, _) if change.path.names().len() == depth => Verdict::Remove,
                // Within what is set or removed, there is nothing to remove.
                (None, Some((_, settled @ (Verdict::Set(_) | Verdict::Remove)))) => settled,
                (Some(_), Some((_, Verdict::Set(_) | Verdict::Remove))) => {
                    Verdict::Within { scope: Scope { depth, below: Some(change), since: at }, is_fresh: true }
                }
                (_, Some((_, within @ Verdict::Within { .. }))) => within,
                (_, None | Some((_, Verdict::Keep))) => {
                    let scope = Scope { depth, below: Some(change), since: scope.since };
                    Verdict::Within { scope, is_fresh: false }
                }
            };
            found = Some((name, verdict));
        }
        found
    }

    pub(super) fn write_object<W: Write>(
        &self,
        object: &Object<'_>,
        scope: Scope<'_, 'e>,
        output: &mut W,
    ) -> io::Result<()> {
        let data = object.data;
        // What is before `copied` is written or left out; what is behind it waits to be copied in one piece.
        let (mut copied, mut end, mut kept) = (object.open, object.last_end, object.len());
        if self.changes(scope).any(|(_, name, _)| object.find(name).is_some()) {
            (end, kept) = (object.open + 1, 0);
            for member in object.places() {
                let found = self.verdict(scope, |name| member.is_named(data, name));
                let verdict = match found {
                    None => Verdict::Keep,
                    // Of several members with one name, the last is changed and the others go.
                    Some((name, _)) if object.find(name) != Some(member) => Verdict::Remove,
                    Some((_, verdict)) => self.settle(verdict, member.value(data)),
                };
                if let Verdict::Remove = verdict {
                    copy(data, copied, end, output)?;
                    (copied, end) = (member.end(), member.end());
                    continue;
                }
                if kept == 0 && end > object.open + 1 {
                    copied = member.start(); // without the comma that followed what was removed
                }
                kept += 1;
                end = member.end();
                if let Verdict::Keep = verdict {
                    continue;
                }
                copy(data, copied, member.value_start(), output)?;
                copied = end;
                self.write_value(verdict, member.value(data), output)?;
            }
        }
        copy(data, copied, end, output)?;
        self.write_new(scope, kept, |name| object.find(name).is_some(), output)?;
        copy(data, end, object.close + 1, output)
    }

    /// Removing something from what is no object leaves it as it is; setting something makes it one.
    fn settle<'n>(&self, verdict: Verdict<'n, 'e>, value: Value<'_>) -> Verdict<'n, 'e> {
        match verdict {
            Verdict::Within { scope, is_fresh: false } if value.as_object().is_none() => {
                let is_set = self.changes(scope).any(|(_, _, change)| change.value.is_some());
                if is_set { Verdict::Within { scope, is_fresh: true } } else { Verdict::Keep }
            }
            settled => settled,
        }
    }

    fn write_value<W: Write>(&self, verdict: Verdict<'_, 'e>, value: Value<'_>, output: &mut W) -> io::Result<()> {
        match verdict {
            Verdict::Keep | Verdict::Remove => Ok(()),
            Verdict::Set(new) => new.write_to(output),
            Verdict::Within { scope, is_fresh } => match value.as_object() {
                Some(object) if !is_fresh => self.write_object(&object, scope, output),
                _ => {
                    output.write_all(b"{")?;
                    self.write_new(scope, 0, |_| false, output)?;
                    output.write_all(b"}")
                }
            },
        }
    }

    /// Writes the members that are set and were not there.
    fn write_new<W: Write>(
        &self,
        scope: Scope<'_, 'e>,
        mut kept: usize,
        is_there: impl Fn(&str) -> bool,
        output: &mut W,
    ) -> io::Result<()> {
        for (at, name, _) in self.changes(scope) {
            let is_repeated = self.changes(scope).take_while(|change| change.0 < at).any(|change| change.1 == name);
            if is_repeated || is_there(name) {
                continue;
            }
            let nothing = Value::checked(b"null");
            let Some((_, verdict)) = self.verdict(scope, |other| other == name) else { continue };
            let verdict = self.settle(verdict, nothing);
            if let Verdict::Keep | Verdict::Remove = verdict {
                continue;
            }
            output.write_all(if kept > 0 { b",\"" } else { b"\"" })?;
            text::write_escaped(name, output)?;
            output.write_all(b"\":")?;
            self.write_value(verdict, nothing, output)?;
            kept += 1;
        }
        Ok(())
    }
}

impl Scope<'_, '_> {
    pub(super) const WHOLE: Self = Self { depth: 0, below: None, since: 0 };
}

/// Copies a piece.
pub(super) fn copy<W: Write>(data: &[u8], from: usize, to: usize, output: &mut W) -> io::Result<()> {
    output.write_all(data.get(from..to).unwrap_or_default())
}
