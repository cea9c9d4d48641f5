//! Redshift's COPY as far as Firehose uses it, parsed strictly: what is not understood is an error, as it would be there.

/// A statement that the cluster refuses, in its words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) state: &'static str,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(state: &'static str, text: impl Into<String>) -> Self {
        Self { state, text: text.into() }
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `json 'auto'`.
    Json,
    /// `csv`.
    Csv,
    /// Fields with a delimiter between them, the default.
    Delimited,
}

/// A COPY from a manifest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copy {
    /// As written.
    pub(super) table: String,
    /// As written, without brackets; empty for all.
    pub(super) columns: String,
    pub(super) manifest: (String, String),
    pub(super) role: String,
    pub(super) format: Format,
    pub(super) delimiter: Option<char>,
    pub(super) is_gzip: bool,
    pub(super) header_lines: usize,
}

/// True for statements that are parsed here instead of by PostgreSQL.
pub(super) fn is_copy(statement: &str) -> bool {
    statement.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("copy "))
}

/// A word, a text in single quotes, or a name in double quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Text(text) => format!("'{text}'"),
            Self::Sign(sign) => sign.to_string(),
        }
    }
}

struct Tokens {
    all: Vec<Token>,
    at: usize,
}

impl Tokens {
    fn peek(&self) -> Option<&Token> {
        self.all.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.all.get(self.at - 1).cloned()
    }

    fn is_next(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, word: &str) -> Result<(), Refusal> {
        if self.is_next(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn text(&mut self) -> Result<String, Refusal> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    fn unexpected(&self) -> Refusal {
        let shown = self.peek().map_or("end of input".to_owned(), |token| format!("\"{}\"", token.shown()));
        Refusal::new("42601", format!("syntax error at or near {shown}"))
    }
}

/// Parses a statement that [`is_copy`].
pub(super) fn parse(statement: &str) -> Result<Copy, Refusal> {
    let mut tokens = Tokens { all: tokens(statement)?, at: 0 };
    tokens.expect("copy")?;
    let mut table = String::new();
    while let Some(Token::Word(_) | Token::Sign('.')) = tokens.peek()
        && !tokens.is_next("from")
    {
        table.push_str(&tokens.next().map(|token| token.shown()).unwrap_or_default());
    }
    let mut columns = String::new();
    if tokens.peek() == Some(&Token::Sign('(')) {
        tokens.next();
        while let Some(Token::Word(_) | Token::Sign(',')) = tokens.peek() {
            columns.push_str(&tokens.next().map(|token| token.shown()).unwrap_or_default());
        }
        if tokens.next() != Some(Token::Sign(')')) || columns.is_empty() {
            tokens.at -= 1;
            return Err(tokens.unexpected());
        }
        tokens.expect("from")?;
    }
    if table.is_empty() {
        return Err(tokens.unexpected());
    }
    let from = tokens.text()?;
    let place = from.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    let (bucket, key) = place.ok_or_else(|| Refusal::new("XX000", format!("Invalid data source {from}")))?;
    tokens.expect("credentials")?;
    let credentials = tokens.text()?;
    let role = credentials.strip_prefix("aws_iam_role=").filter(|role| role.starts_with("arn:aws"));
    let role = role.ok_or_else(|| {
        Refusal::new("XX000", "Invalid credentials. Must be of the format: credentials 'aws_iam_role=...'")
    })?;
    tokens.expect("manifest")?;
    let mut copy = Copy {
        table,
        columns,
        manifest: (bucket.to_owned(), key.to_owned()),
        role: role.to_owned(),
        format: Format::Delimited,
        delimiter: None,
        is_gzip: false,
        header_lines: 0,
    };
    options(&mut copy, &mut tokens)?;
    Ok(copy)
}

/// Options that change how values are read; the stand-in takes them and does nothing.
const WITHOUT_VALUE: [&str; 8] = [
    "truncatecolumns",
    "blanksasnull",
    "emptyasnull",
    "trimblanks",
    "acceptinvchars",
    "fillrecord",
    "ignoreblanklines",
    "acceptanydate",
];
const WITH_TEXT: [&str; 3] = ["region", "timeformat", "dateformat"];
const SWITCHES: [&str; 2] = ["compupdate", "statupdate"];

fn options(copy: &mut Copy, tokens: &mut Tokens) -> Result<(), Refusal> {
    let mut formats = 0;
    while let Some(token) = tokens.peek().cloned() {
        let Token::Word(word) = &token else {
            if token == Token::Sign(';') && tokens.at + 1 == tokens.all.len() {
                break;
            }
            return Err(tokens.unexpected());
        };
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "gzip" => {
                copy.is_gzip = true;
                tokens.next();
            }
            "csv" => {
                (copy.format, formats) = (Format::Csv, formats + 1);
                tokens.next();
            }
            "json" => {
                (copy.format, formats) = (Format::Json, formats + 1);
                tokens.next();
                tokens.is_next("as");
                if tokens.text()? != "auto" {
                    return Err(Refusal::new("0A000", "the stand-in knows json 'auto' only"));
                }
            }
            "delimiter" => {
                tokens.next();
                tokens.is_next("as");
                let text = tokens.text()?;
                let mut letters = text.chars();
                copy.delimiter = match (letters.next(), letters.next(), text.as_str()) {
                    (_, _, "\\t") => Some('\t'),
                    (Some(letter), None, _) => Some(letter),
                    _ => return Err(Refusal::new("22023", "COPY delimiter must be a single character")),
                };
            }
            "ignoreheader" => {
                tokens.next();
                tokens.is_next("as");
                let Some(Token::Word(count)) = tokens.next() else { return Err(tokens.unexpected()) };
                copy.header_lines = count.parse().map_err(|_| tokens.unexpected())?;
            }
            word if WITHOUT_VALUE.contains(&word) => {
                tokens.next();
            }
            word if WITH_TEXT.contains(&word) => {
                tokens.next();
                tokens.is_next("as");
                tokens.text()?;
            }
            word if SWITCHES.contains(&word) => {
                tokens.next();
                if !tokens.is_next("on") && !tokens.is_next("off") {
                    return Err(tokens.unexpected());
                }
            }
            _ => return Err(tokens.unexpected()),
        }
    }
    if formats > 1 { Err(Refusal::new("42601", "conflicting or redundant options")) } else { Ok(()) }
}

fn tokens(statement: &str) -> Result<Vec<Token>, Refusal> {
    let mut found = Vec::new();
    let mut letters = statement.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '\'' | '"' => {
                let mut text = String::new();
                loop {
                    match letters.next() {
                        Some(next) if next == letter && letters.peek() == Some(&letter) => {
                            letters.next();
                            text.push(letter);
                        }
                        Some(next) if next == letter => break,
                        Some(next) => text.push(next),
                        None => return Err(Refusal::new("42601", "unterminated quoted string")),
                    }
                }
                found.push(if letter == '"' {
                    Token::Word(format!("\"{}\"", text.replace('"', "\"\"")))
                } else {
                    Token::Text(text)
                });
            }
            letter if letter.is_alphanumeric() || letter == '_' => {
                let mut word = letter.to_string();
                while let Some(next) = letters.next_if(|next| next.is_alphanumeric() || matches!(next, '_' | '$')) {
                    word.push(next);
                }
                found.push(Token::Word(word));
            }
            sign => found.push(Token::Sign(sign)),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str =
        "COPY shop.orders (id,\"a b\") FROM 's3://b/p/m' CREDENTIALS 'aws_iam_role=arn:aws:iam::1:role/r' MANIFEST";

    #[test]
    fn a_copy_is_read_as_redshift_reads_it() {
        let copy = parse(&format!("{START} json 'auto' GZIP region 'eu-west-1' compupdate off;")).expect("a COPY");
        assert_eq!((copy.table.as_str(), copy.columns.as_str()), ("shop.orders", "id,\"a b\""));
        assert_eq!((copy.manifest.0.as_str(), copy.manifest.1.as_str()), ("b", "p/m"));
        assert_eq!((copy.format, copy.is_gzip, copy.role.as_str()), (Format::Json, true, "arn:aws:iam::1:role/r"));
        let delimited = parse(&format!("{START} delimiter AS '|' ignoreheader 1")).expect("a COPY");
        assert_eq!((delimited.delimiter, delimited.header_lines), (Some('|'), 1));
    }

    #[test]
    fn anything_else_is_refused() {
        let state = |text: &str| parse(text).expect_err(text).state;
        for options in ["jsn 'auto'", "gzip; drop table x", "json", "compupdate maybe", "csv json 'auto';", "; ;", "'"]
        {
            assert_eq!(state(&format!("{START} {options}")), "42601", "{options}");
        }
        assert_eq!(state(&format!("{START} delimiter '||'")), "22023");
        assert_eq!(state(&START.replace("MANIFEST", "")), "42601");
        assert_eq!(state(&START.replace("aws_iam_role", "password")), "XX000");
        assert_eq!(state(&START.replace("s3://b", "b")), "XX000");
    }
}
