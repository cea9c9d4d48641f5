//! The operator's settings. Refuses what it does not know: a misspelt name would leave addresses in the clear.

use hydrant_plugin::Context;

use crate::What;
use crate::fields::Fields;
use crate::find::Find;
use crate::hide::{Hide, Way};

/// A key that can be guessed is none.
const SALT_BYTES: usize = 16;

pub(crate) fn read(context: &Context) -> Result<(Find, Hide, Option<Fields>), String> {
    let names = What::ALL.map(What::name);
    for (name, _) in context.settings() {
        if !names.contains(&name) && name != "salt" && name != "fields" {
            return Err(format!("{name}: no such setting; there are {}, salt, fields", names.join(", ")));
        }
    }
    let mut ways = [Way::Mask; 4];
    for (way, name) in ways.iter_mut().zip(names) {
        *way = match context.setting(name) {
            None | Some("mask") => Way::Mask,
            Some("keep") => Way::Keep,
            Some("hash") => Way::Hash,
            Some(other) => return Err(format!("{name}: keep, mask or hash, not {other:?}")),
        };
    }
    let salt = context.setting("salt").unwrap_or_default();
    let is_hashed = ways.contains(&Way::Hash);
    if is_hashed && salt.len() < SALT_BYTES {
        return Err(format!("salt: hashing needs a secret of at least {SALT_BYTES} bytes"));
    }
    if !is_hashed && !salt.is_empty() {
        return Err("salt: nothing is hashed; set email, card, iban or phone to hash, or remove it".to_owned());
    }
    let fields = context.setting("fields").map(Fields::parse).transpose()?;
    Ok((Find::new(ways.map(|way| way != Way::Keep)), Hide::new(ways, salt), fields))
}
