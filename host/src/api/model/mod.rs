//! The service's model as data: shapes of every operation's input, and one walker that checks a document
//! against them with the service's own messages (reference: Firehose API, model of 2015-08-04).
//!
//! `node` parses a bounded document, `shape` says what a shape is, `inputs` and `destinations` are the table,
//! `walk` checks. Rules between members are not here: see `control`.

mod destinations;
mod inputs;
mod node;
mod shape;
mod walk;

#[cfg(test)]
mod tests;

pub(super) use destinations::*;
pub(super) use inputs::*;
pub(super) use node::{Node, parse};
pub(super) use shape::{Addresses, Member, Shape, decode_blob};
pub(super) use walk::{check, to_value};
