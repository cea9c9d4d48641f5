//! How to log in at search endpoints: `[[opensearch.credentials]]`. Refuses two logins of one account for
//! one endpoint.

use super::super::document::Wrong;
use super::super::report::Reason;
use super::super::{OpenSearch, SearchAccess, SearchCredential, keys};
use super::{Loader, url};

impl Loader<'_> {
    pub(super) fn opensearch(&mut self, default_account: Option<&str>) -> OpenSearch {
        let tables = self.document.tables(&keys::OPENSEARCH_CREDENTIALS);
        let credentials: Vec<SearchCredential> = tables
            .into_iter()
            .filter_map(|(path, line)| self.search_credential(&path, line, default_account))
            .collect();
        for (at, credential) in credentials.iter().enumerate() {
            let same = |other: &SearchCredential| {
                other.endpoint.eq_ignore_ascii_case(&credential.endpoint) && other.account_id == credential.account_id
            };
            if credentials.iter().take(at).any(same) {
                let what = format!("{} is there twice", credential.endpoint);
                let wrong = Wrong::new(what, "keep one login of each account for each endpoint");
                self.document.problem(keys::OPENSEARCH_CREDENTIALS.path, None, wrong);
            }
        }
        OpenSearch { credentials }
    }

    fn search_credential(
        &mut self,
        table: &str,
        line: usize,
        default_account: Option<&str>,
    ) -> Option<SearchCredential> {
        let account_id = self.account(table, default_account);
        let endpoint = self.search_text(table, "endpoint", line, |text| {
            url(text, r#"write scheme, host and port of the cluster, such as "https://search.example.com:9200""#)
        });
        let way = format!("{table}.authentication");
        let access = match self.document.take_text(&way) {
            Some((text, line)) if text == "sigv4" => {
                self.document.show(&way, text, Reason::Line(line));
                Some(SearchAccess::Sigv4)
            }
            Some((text, line)) if text != "basic" => {
                let wrong =
                    Wrong::new(format!("\"{text}\" is not a way to authenticate"), r#"write "basic" or "sigv4""#);
                self.document.problem(&way, Some(line), wrong);
                // So that what else stands there is not called unknown.
                self.basic(table, line);
                None
            }
            _ => self.basic(table, line),
        };
        Some(SearchCredential { endpoint: endpoint?, account_id: account_id?, access: access? })
    }

    fn basic(&mut self, table: &str, line: usize) -> Option<SearchAccess> {
        let username = self.search_text(table, "username", line, |text| {
            let is_legal = !text.is_empty() && !text.contains(|letter: char| letter == ':' || letter.is_control());
            let wrong = || Wrong::new("not a user name", "give one without a colon");
            is_legal.then(|| text.to_owned()).ok_or_else(wrong)
        });
        let password = self.secret(table, line, "password");
        Some(SearchAccess::Basic { username: username?, password: password? })
    }

    fn search_text(
        &mut self,
        table: &str,
        name: &str,
        line: usize,
        parse: impl Fn(&str) -> Result<String, Wrong>,
    ) -> Option<String> {
        let path = format!("{table}.{name}");
        let is_there = self.document.line_of(&path).is_some();
        let (wrong, line) = match self.document.take_text(&path) {
            Some((text, line)) => match parse(&text) {
                Ok(value) => {
                    self.document.show(&path, value.clone(), Reason::Line(line));
                    return Some(value);
                }
                Err(wrong) => (wrong, line),
            },
            // Of another kind, which is a problem already.
            None if is_there => return None,
            None => (Wrong::new("missing", format!("say {name} of the cluster's user")), line),
        };
        self.document.problem(&path, Some(line), wrong);
        None
    }
}
