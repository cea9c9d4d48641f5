//! Members by their paths, recognised while walking through a value. Refuses patterns: a path is names, and lists are
//! walked through.

use hydrant_plugin::json::{Token, unescape};

/// Paths of members, each of one name or more.
#[derive(Debug)]
pub(crate) struct Fields {
    paths: Vec<Vec<String>>,
}

/// One bit each.
const MOST_PATHS: usize = 64;

impl Fields {
    /// Paths between commas, names between dots; `\.` and `\,` belong to a name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut paths, mut names, mut name) = (Vec::new(), Vec::new(), String::new());
        let mut letters = text.chars();
        loop {
            match letters.next() {
                Some('\\') => name.extend(letters.next()),
                Some('.') => names.push(std::mem::take(&mut name)),
                Some(',') | None if names.is_empty() && name.trim().is_empty() => {
                    return Err(format!("fields: paths such as user.email,message, not {text:?}"));
                }
                end @ (Some(',') | None) => {
                    names.push(std::mem::take(&mut name).trim().to_owned());
                    paths.push(std::mem::take(&mut names));
                    if end.is_none() {
                        break;
                    }
                }
                Some(' ') if name.is_empty() => {} // after a comma
                Some(letter) => name.push(letter),
            }
        }
        if paths.len() > MOST_PATHS {
            return Err(format!("fields: at most {MOST_PATHS} paths, not {}", paths.len()));
        }
        Ok(Self { paths })
    }

    /// Which of some paths go on with a name at some depth, and whether one ends there.
    fn follow(&self, alive: u64, depth: usize, name: &str) -> (u64, bool) {
        let (mut next, mut is_end) = (0, false);
        for (at, path) in self.paths.iter().enumerate() {
            if alive >> at & 1 == 1 && path.get(depth).is_some_and(|known| known == name) {
                next |= 1 << at;
                is_end |= path.len() == depth + 1;
            }
        }
        (next, is_end)
    }
}

/// Where a walk through a value is.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// What holds for the members of each object or list that is open.
    open: Vec<State>,
    /// What holds for the next value.
    next: State,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Paths that lead here.
    alive: u64,
    /// Names on the way.
    depth: usize,
    is_selected: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { alive: u64::MAX, depth: 0, is_selected: false }
    }
}

impl Walk {
    /// Takes the next token; whether it belongs to a member that was named.
    pub(crate) fn step(&mut self, fields: &Fields, token: Token<'_>) -> bool {
        match token {
            Token::ObjectStart | Token::ArrayStart => self.open.push(self.next),
            Token::ObjectEnd | Token::ArrayEnd => {
                self.open.pop();
                self.next = self.open.last().copied().unwrap_or_default();
            }
            Token::Key(name) => {
                let State { alive, depth, is_selected } = self.open.last().copied().unwrap_or_default();
                let (alive, is_end) =
                    if is_selected { (0, true) } else { fields.follow(alive, depth, &unescape(name)) };
                self.next = State { alive, depth: depth + 1, is_selected: is_selected || is_end };
            }
            Token::Text(_) | Token::Scalar(_) => {}
        }
        self.next.is_selected
    }
}

#[cfg(test)]
mod tests {
    use hydrant_plugin::json::Value;

    use super::*;

    fn selected(paths: &str, text: &str) -> Vec<String> {
        let fields = Fields::parse(paths).unwrap();
        let mut walk = Walk::default();
        let texts = Value::parse(text.as_bytes()).unwrap().tokens().filter_map(|token| {
            let is_selected = walk.step(&fields, token);
            match token {
                Token::Text(text) if is_selected => Some(String::from_utf8_lossy(text).into_owned()),
                _ => None,
            }
        });
        texts.collect()
    }

    #[test]
    fn members_are_selected_by_path_with_all_that_is_within() {
        let text =
            r#"{"a":{"b":"1","c":"2"},"b":"3","d":[{"b":"4"},{"x":"5"},"6"],"\u0065":{"f":["7",{"g":"8"}]},"h":"9"}"#;
        assert_eq!(selected("a.b", text), ["1"]);
        assert_eq!(selected("a", text), ["1", "2"]);
        assert_eq!(selected("d.b, h", text), ["4", "9"]);
        assert_eq!(selected("d", text), ["4", "5", "6"]);
        assert_eq!(selected("e.f", text), ["7", "8"]);
        assert_eq!(selected("b.b", text), [""; 0]);
        assert_eq!(selected(r"a\.b,c\,d", r#"{"a.b":"1","c,d":"2","a":{"b":"3"}}"#), ["1", "2"]);
        assert_eq!(selected("a", r#"[{"a":"1","b":"2"},{"b":"3","a":"4"}]"#), ["1", "4"]);
    }

    #[test]
    fn paths_are_checked() {
        for wrong in ["", "a,", ",a", "a,,b"] {
            assert!(Fields::parse(wrong).unwrap_err().contains("paths such as"), "{wrong}");
        }
        assert!(Fields::parse(&"a,".repeat(64)).is_err());
        assert!(Fields::parse(&vec!["a"; 65].join(",")).unwrap_err().contains("at most 64"));
    }
}
