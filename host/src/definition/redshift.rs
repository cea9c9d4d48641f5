//! What the texts of a Redshift destination may be: the URL of the cluster, and what stands in a COPY statement.
//!
//! The API checks with these functions when a stream is created, the destination before it builds a statement, so that
//! no text of a configuration is more than the part of one statement it is meant to be. Refuses to know what Redshift's
//! options mean: it has many, and gets new ones.

use super::Redshift;

/// A cluster, as its JDBC URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JdbcUrl {
    /// Host name.
    pub host: String,
    /// TCP port, never 0.
    pub port: u16,
    /// Database name.
    pub database: String,
}

/// A text that a Redshift destination may not have. The messages name the member of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedshiftTextError {
    /// It is not of the form that the API's pattern asks for.
    #[error(
        "ClusterJDBCURL must be jdbc:redshift://HOST:PORT/DATABASE, with a host of Redshift like \
         name.account.region.redshift.amazonaws.com and a port from 1 to 65535"
    )]
    JdbcUrl,
    /// Not a name of a table.
    #[error(
        "DataTableName must be TABLE or SCHEMA.TABLE: each a letter or an underscore followed by letters, digits, \
         underscores and $, or any name in double quotes"
    )]
    Table,
    /// Not a list of column names.
    #[error("DataTableColumns must be names separated by commas, each plain or in double quotes")]
    Columns,
    /// A quote is opened and not closed.
    #[error("CopyOptions has a quote that is not closed")]
    OpenQuote,
    /// A statement would end within the options.
    #[error("CopyOptions must not hold {0} outside quotes: the options are the end of one COPY statement")]
    EndsStatement(&'static str),
    /// Whether a quote ends there depends on a setting of the server.
    #[error("CopyOptions must not hold a backslash before a quote")]
    EscapedQuote,
    /// NUL ends a message of the protocol.
    #[error("CopyOptions must not hold control characters other than tab and line ends")]
    Control,
}

/// Names longer than this are cut by PostgreSQL and refused by Redshift.
const LONGEST_NAME_BYTES: usize = 127;

impl Redshift {
    /// Takes a `ClusterJDBCURL` apart.
    ///
    /// # Errors
    /// [`RedshiftTextError::JdbcUrl`] when it is not of the form
    /// `jdbc:(redshift|postgresql)://LABELS.redshift[-serverless].REST:PORT/DATABASE`.
    pub fn parse_jdbc(url: &str) -> Result<JdbcUrl, RedshiftTextError> {
        parse(url).ok_or(RedshiftTextError::JdbcUrl)
    }

    /// Checks a `DataTableName`.
    ///
    /// # Errors
    /// [`RedshiftTextError::Table`] when it is anything else than one to three names with dots between them.
    pub fn check_table(table: &str) -> Result<(), RedshiftTextError> {
        match names(table, '.') {
            Some(parts) if parts.len() <= 3 => Ok(()),
            _ => Err(RedshiftTextError::Table),
        }
    }

    /// The table `other` beside the table that `table` names: with the same database and schema, if it names them.
    ///
    /// # Errors
    /// As [`Self::check_table`].
    pub fn beside(table: &str, other: &str) -> Result<String, RedshiftTextError> {
        let mut parts = names(table, '.').filter(|parts| parts.len() <= 3).ok_or(RedshiftTextError::Table)?;
        parts.pop();
        parts.push(other);
        Ok(parts.join("."))
    }

    /// Checks `DataTableColumns`; empty means all columns.
    ///
    /// # Errors
    /// [`RedshiftTextError::Columns`] when it is anything else than names with commas between them.
    pub fn check_columns(columns: &str) -> Result<(), RedshiftTextError> {
        if columns.is_empty() || names(columns, ',').is_some() { Ok(()) } else { Err(RedshiftTextError::Columns) }
    }

    /// Checks `CopyOptions`: whatever they are, they must not end the statement they are part of.
    ///
    /// # Errors
    /// What would, or might, end it.
    pub fn check_copy_options(options: &str) -> Result<(), RedshiftTextError> {
        let mut quote = None;
        let mut before = ' ';
        for letter in options.chars() {
            if letter.is_control() && !matches!(letter, '\t' | '\n' | '\r') {
                return Err(RedshiftTextError::Control);
            }
            match (quote, letter) {
                // Older servers read `\'` as a quote inside a text, newer ones as its end.
                (_, '\'' | '"') if before == '\\' => return Err(RedshiftTextError::EscapedQuote),
                (Some(open), letter) if open == letter => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(letter),
                (None, ';') => return Err(RedshiftTextError::EndsStatement("a semicolon")),
                // Quotes of PostgreSQL that this scan would not see the end of.
                (None, '$') => return Err(RedshiftTextError::EndsStatement("a dollar sign")),
                (None, '-') if before == '-' => return Err(RedshiftTextError::EndsStatement("a comment")),
                (None, '*') if before == '/' => return Err(RedshiftTextError::EndsStatement("a comment")),
                (None, _) => {}
            }
            before = letter;
        }
        if quote.is_some() { Err(RedshiftTextError::OpenQuote) } else { Ok(()) }
    }
}

fn parse(url: &str) -> Option<JdbcUrl> {
    if url.len() > 512 {
        return None;
    }
    let rest = url.strip_prefix("jdbc:redshift://").or_else(|| url.strip_prefix("jdbc:postgresql://"))?;
    let (server, database) = rest.split_once('/')?;
    let (host, port) = server.split_once(':')?;
    let is_word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    let is_label =
        |label: &str| label.len() <= 63 && is_word(label, "-") && !label.starts_with('-') && !label.ends_with('-');
    let labels: Vec<&str> = host.split('.').collect();
    let service = labels.iter().position(|label| matches!(*label, "redshift" | "redshift-serverless"))?;
    let is_host = service > 0
        && labels[..service].iter().all(|label| is_label(label))
        && is_word(&labels[service + 1..].join("."), ".-");
    let is_port = (1..=5).contains(&port.len()) && port.bytes().all(|digit| digit.is_ascii_digit());
    if !is_host || !is_port || !is_word(database, "_$-") {
        return None;
    }
    let port = port.parse().ok().filter(|port| *port > 0)?;
    Some(JdbcUrl { host: host.to_owned(), port, database: database.to_owned() })
}

/// Names with `separator` between them, white space around them left out; none unless all of the text is just that.
fn names(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        let length = if trimmed.starts_with('"') { quoted(trimmed)? } else { plain(trimmed)? };
        let (name, after) = trimmed.split_at(length);
        found.push(name);
        let after = after.trim_start();
        if after.is_empty() {
            return Some(found);
        }
        rest = after.strip_prefix(separator)?;
    }
}

/// Bytes of the plain name at the start.
fn plain(text: &str) -> Option<usize> {
    let is_first = |letter: char| letter.is_alphabetic() || letter == '_';
    if !text.starts_with(is_first) {
        return None;
    }
    let length = text.find(|letter: char| !is_first(letter) && !letter.is_ascii_digit() && letter != '$');
    Some(length.unwrap_or(text.len())).filter(|length| *length <= LONGEST_NAME_BYTES)
}

/// Bytes of the quoted name at the start, both quotes included; a quote inside is written twice.
fn quoted(text: &str) -> Option<usize> {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' if letters.peek().is_some_and(|(_, next)| *next == '"') => {
                letters.next();
            }
            '"' => return Some(at + 1).filter(|length| (3..=LONGEST_NAME_BYTES + 2).contains(length)),
            letter if letter.is_control() => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_clusters_are_taken_apart() {
        let of = |url: &str| Redshift::parse_jdbc(url).ok().map(|url| (url.host, url.port, url.database));
        let some = |host: &str, port, database: &str| Some((host.to_owned(), port, database.to_owned()));
        let host = "shop.abc123.eu-west-1.redshift.amazonaws.com";
        assert_eq!(of(&format!("jdbc:redshift://{host}:5439/dev")), some(host, 5439, "dev"));
        assert_eq!(of(&format!("jdbc:postgresql://{host}:5439/de-v_$1")), some(host, 5439, "de-v_$1"));
        let serverless = "work.123456789012.us-east-1.redshift-serverless.amazonaws.com";
        assert_eq!(of(&format!("jdbc:redshift://{serverless}:1/d")), some(serverless, 1, "d"));
        assert_eq!(of("jdbc:redshift://a.redshift.localhost:15439/d"), some("a.redshift.localhost", 15439, "d"));
        for wrong in [
            "",
            "jdbc:mysql://a.redshift.b:1/d",
            "jdbc:redshift://redshift.b:1/d",
            "jdbc:redshift://a.redshift:1/d",
            "jdbc:redshift://a.example.com:1/d",
            "jdbc:redshift://-a.redshift.b:1/d",
            "jdbc:redshift://a-.redshift.b:1/d",
            "jdbc:redshift://a..redshift.b:1/d",
            "jdbc:redshift://a.redshift.b/d",
            "jdbc:redshift://a.redshift.b:/d",
            "jdbc:redshift://a.redshift.b:0/d",
            "jdbc:redshift://a.redshift.b:65536/d",
            "jdbc:redshift://a.redshift.b:1/",
            "jdbc:redshift://a.redshift.b:1/d?ssl=false",
            "jdbc:redshift://user@a.redshift.b:1/d",
            "jdbc:redshift://a_b.redshift.b:1/d",
            " jdbc:redshift://a.redshift.b:1/d",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert_eq!(of(&format!("jdbc:redshift://a.redshift.b:1/{}", "d".repeat(512))), None);
    }

    #[test]
    fn tables_and_columns_are_names_and_nothing_else() {
        for table in
            ["orders", "public.orders", "db.public.orders", r#""My ""Table""""#, r#"s."a.b;c""#, "_a$1", "größe"]
        {
            assert_eq!(Redshift::check_table(table), Ok(()), "{table}");
        }
        let long = "a".repeat(LONGEST_NAME_BYTES + 1);
        for table in ["", "a b", "a;b", "a.", ".a", "a.b.c.d", "1a", r#""""#, r#""a"#, "a--b", "a(b)", "a\0", &long] {
            assert_eq!(Redshift::check_table(table), Err(RedshiftTextError::Table), "{table}");
        }
        for columns in ["", "a", "a,b", " a , \"b,c\" "] {
            assert_eq!(Redshift::check_columns(columns), Ok(()), "{columns}");
        }
        for columns in [" ", "a,", "a b", "a) FROM x; --", ",", "a.b"] {
            assert_eq!(Redshift::check_columns(columns), Err(RedshiftTextError::Columns), "{columns}");
        }
        let beside = |table| Redshift::beside(table, "ledger").unwrap();
        assert_eq!(
            [beside("t"), beside(r#""S.1".t"#), beside("d . s . t")],
            ["ledger", r#""S.1".ledger"#, "d.s.ledger"]
        );
    }

    #[test]
    fn options_stay_within_their_statement() {
        for options in [
            "",
            "json 'auto' gzip",
            "delimiter '|' region 'eu-west-1' timeformat 'YYYY-MM-DD HH:MI:SS'",
            "csv quote as '\"' delimiter ';'",
            "delimiter '\\t' null as '\\000' maxerror 10",
            "json 's3://bucket/it''s-here.json'",
            "delimiter '--'",
            "csv\nignoreheader 1",
        ] {
            assert_eq!(Redshift::check_copy_options(options), Ok(()), "{options}");
        }
        for (options, wrong) in [
            ("gzip; drop table orders", RedshiftTextError::EndsStatement("a semicolon")),
            ("gzip -- ", RedshiftTextError::EndsStatement("a comment")),
            ("gzip /* ", RedshiftTextError::EndsStatement("a comment")),
            ("delimiter '", RedshiftTextError::OpenQuote),
            ("null '\\'' ; drop table orders", RedshiftTextError::EscapedQuote),
            ("null $$ ' $$ ; drop table orders; ' '", RedshiftTextError::EndsStatement("a dollar sign")),
            ("gzip\0", RedshiftTextError::Control),
        ] {
            assert_eq!(Redshift::check_copy_options(options), Err(wrong), "{options}");
        }
    }
}
