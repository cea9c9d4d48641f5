//! Hive's type expressions: `struct<id:bigint,tags:array<string>>` to a [`Type`].
//!
//! Refuses by name what Firehose does not convert to (`set`, `uniontype`), and text that is deeper or longer than any
//! table needs.

use super::schema::{Field, MOST_DEPTH, MOST_TYPE_BYTES, Type};

/// What is wrong with a type expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// It is longer than `MOST_TYPE_BYTES`.
    #[error("type of {0} bytes: at most 131072 are legal")]
    Long(usize),
    /// It is deeper than [`MOST_DEPTH`].
    #[error("type nests deeper than 16")]
    Deep,
    /// Another word or sign is due at this byte.
    #[error("type does not read on at byte {at}: expected {expected}")]
    Syntax {
        /// Offset.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Hive may know it; this conversion does not.
    #[error("type {0} is not offered; array instead of set, struct instead of uniontype")]
    Unknown(String),
    /// `decimal` with other digits than 1 to 38, or more behind the point than there are.
    #[error("decimal({precision},{scale}): precision is 1 to 38 and scale at most precision")]
    Decimal {
        /// Digits.
        precision: u64,
        /// Digits behind the point.
        scale: u64,
    },
    /// `char` or `varchar` of a length that Hive does not have.
    #[error("{name}({length}): length is 1 to {most}")]
    Length {
        /// Which of the two.
        name: &'static str,
        /// What was asked for.
        length: u64,
        /// Longest.
        most: u64,
    },
    /// The key of a map is nested.
    #[error("key of a map is of a nested type")]
    Key,
}

/// Reads one type expression.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn parse(text: &str) -> Result<Type, TypeError> {
    if text.len() > MOST_TYPE_BYTES {
        return Err(TypeError::Long(text.len()));
    }
    let mut parser = Parser { text, at: 0 };
    let kind = parser.kind(1)?;
    parser.space();
    if parser.at < text.len() { Err(parser.expected("the end")) } else { Ok(kind) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn kind(&mut self, depth: usize) -> Result<Type, TypeError> {
        if depth > MOST_DEPTH {
            return Err(TypeError::Deep);
        }
        let word = self.word("the name of a type")?.to_ascii_lowercase();
        Ok(match word.as_str() {
            "boolean" => Type::Boolean,
            "tinyint" => Type::TinyInt,
            "smallint" => Type::SmallInt,
            "int" | "integer" => Type::Int,
            "bigint" => Type::BigInt,
            "float" => Type::Float,
            "double" => Type::Double,
            "string" => Type::String,
            "binary" => Type::Binary,
            "date" => Type::Date,
            "timestamp" => Type::Timestamp,
            "decimal" | "numeric" => self.decimal()?,
            "char" => Type::Char(self.length("char", 255)?),
            "varchar" => Type::Varchar(self.length("varchar", 65_535)?),
            "array" => {
                self.sign('<', "<")?;
                let item = self.kind(depth + 1)?;
                self.sign('>', ">")?;
                Type::Array(Box::new(item))
            }
            "map" => {
                self.sign('<', "<")?;
                let key = self.kind(depth + 1)?;
                if key.is_nested() {
                    return Err(TypeError::Key);
                }
                self.sign(',', ",")?;
                let value = self.kind(depth + 1)?;
                self.sign('>', ">")?;
                Type::Map(Box::new(key), Box::new(value))
            }
            "struct" => Type::Struct(self.fields(depth)?),
            _ => return Err(TypeError::Unknown(word)),
        })
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, TypeError> {
        self.sign('<', "<")?;
        let mut fields = Vec::new();
        loop {
            let name = self.name()?;
            self.sign(':', ":")?;
            fields.push(Field { name, kind: self.kind(depth + 1)? });
            if !self.takes(',') {
                self.sign('>', ", or >")?;
                return Ok(fields);
            }
        }
    }

    /// Hive without digits means ten, none of them behind the point.
    fn decimal(&mut self) -> Result<Type, TypeError> {
        if !self.takes('(') {
            return Ok(Type::Decimal { precision: 10, scale: 0 });
        }
        let precision = self.number()?;
        let scale = if self.takes(',') { self.number()? } else { 0 };
        self.sign(')', ")")?;
        let wrong = TypeError::Decimal { precision, scale };
        if !(1..=38).contains(&precision) || scale > precision {
            return Err(wrong);
        }
        match (u8::try_from(precision), u8::try_from(scale)) {
            (Ok(precision), Ok(scale)) => Ok(Type::Decimal { precision, scale }),
            _ => Err(wrong),
        }
    }

    fn length(&mut self, name: &'static str, most: u64) -> Result<u16, TypeError> {
        self.sign('(', "(")?;
        let length = self.number()?;
        self.sign(')', ")")?;
        let wrong = TypeError::Length { name, length, most };
        if !(1..=most).contains(&length) {
            return Err(wrong);
        }
        u16::try_from(length).map_err(|_| wrong)
    }

    fn number(&mut self) -> Result<u64, TypeError> {
        let before = self.at;
        self.word("a number")?.parse().map_err(|_| {
            self.at = before;
            self.expected("a number")
        })
    }

    /// A field's name: anything up to its colon, or between back quotes.
    fn name(&mut self) -> Result<String, TypeError> {
        self.space();
        let rest = &self.text[self.at..];
        let (name, length) = match rest.strip_prefix('`') {
            Some(quoted) => {
                let end = quoted.find('`').ok_or_else(|| self.expected("a closing back quote"))?;
                (&quoted[..end], end + 2)
            }
            None => {
                let end = rest.find([':', '<', '>', ',']).ok_or_else(|| self.expected(":"))?;
                (rest[..end].trim_end(), end)
            }
        };
        if name.is_empty() {
            return Err(self.expected("the name of a field"));
        }
        self.at += length;
        Ok(name.to_owned())
    }

    fn word(&mut self, expected: &'static str) -> Result<&'a str, TypeError> {
        self.space();
        let rest = &self.text[self.at..];
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        if end == 0 {
            return Err(self.expected(expected));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn sign(&mut self, sign: char, expected: &'static str) -> Result<(), TypeError> {
        if self.takes(sign) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn takes(&mut self, sign: char) -> bool {
        self.space();
        let is_there = self.text[self.at..].starts_with(sign);
        self.at += if is_there { sign.len_utf8() } else { 0 };
        is_there
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn expected(&self, expected: &'static str) -> TypeError {
        TypeError::Syntax { at: self.at, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read() {
        let field = |name: &str, kind: Type| Field { name: name.to_owned(), kind };
        let cases = [
            ("boolean", Type::Boolean),
            ("TINYINT", Type::TinyInt),
            ("smallint", Type::SmallInt),
            ("int", Type::Int),
            ("integer", Type::Int),
            (" bigint ", Type::BigInt),
            ("float", Type::Float),
            ("double", Type::Double),
            ("decimal", Type::Decimal { precision: 10, scale: 0 }),
            ("decimal(5)", Type::Decimal { precision: 5, scale: 0 }),
            ("decimal( 38 , 38 )", Type::Decimal { precision: 38, scale: 38 }),
            ("string", Type::String),
            ("char(255)", Type::Char(255)),
            ("varchar(65535)", Type::Varchar(65_535)),
            ("binary", Type::Binary),
            ("date", Type::Date),
            ("timestamp", Type::Timestamp),
            ("array<array<int>>", Type::Array(Box::new(Type::Array(Box::new(Type::Int))))),
            ("map<string, double>", Type::Map(Box::new(Type::String), Box::new(Type::Double))),
            (
                "struct<a-b:int, `c:d` : string>",
                Type::Struct(vec![field("a-b", Type::Int), field("c:d", Type::String)]),
            ),
        ];
        for (text, kind) in cases {
            assert_eq!(parse(text), Ok(kind), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_type_is_refused_by_name() {
        let cases = [
            ("set<int>", "type set is not offered; array instead of set, struct instead of uniontype"),
            (
                "uniontype<int,string>",
                "type uniontype is not offered; array instead of set, struct instead of uniontype",
            ),
            ("decimal(39)", "decimal(39,0): precision is 1 to 38 and scale at most precision"),
            ("decimal(3,4)", "decimal(3,4): precision is 1 to 38 and scale at most precision"),
            ("char(256)", "char(256): length is 1 to 255"),
            ("varchar(0)", "varchar(0): length is 1 to 65535"),
            ("varchar", "type does not read on at byte 7: expected ("),
            ("map<array<int>,int>", "key of a map is of a nested type"),
            ("array<int", "type does not read on at byte 9: expected >"),
            ("int>", "type does not read on at byte 3: expected the end"),
            ("struct<>", "type does not read on at byte 7: expected the name of a field"),
            ("struct<`a:int>", "type does not read on at byte 7: expected a closing back quote"),
            ("struct<a:int;b:int>", "type does not read on at byte 12: expected , or >"),
            ("", "type does not read on at byte 0: expected the name of a type"),
        ];
        for (text, message) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = |depth: usize| format!("{}int{}", "array<".repeat(depth - 1), ">".repeat(depth - 1));
        assert!(parse(&deep(MOST_DEPTH)).is_ok());
        assert_eq!(parse(&deep(MOST_DEPTH + 1)), Err(TypeError::Deep));
        assert_eq!(parse(&deep(10_000)), Err(TypeError::Deep));
        let long = |bytes: usize| format!("int{}", " ".repeat(bytes - 3));
        assert!(parse(&long(MOST_TYPE_BYTES)).is_ok());
        assert_eq!(parse(&long(MOST_TYPE_BYTES + 1)), Err(TypeError::Long(MOST_TYPE_BYTES + 1)));
    }
}
