//! `hydrant dead-letter replay` and `forget`. Refuses to remember anything itself: the host's journal does.

use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::super::console::{Unit, bytes, count};
use super::super::{Console, Failure};
use super::arguments::{DeadLetter, Forget, Replay};
use super::foreign::{Buckets, Opened};
use super::host::question;
use super::look;
use crate::dead_letter::{ReadError, Reading};
use crate::deliver::Stored;
use crate::pipeline::{Brought, Tally, Wish};

/// How long the journal is given to make room before it is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// Pauses in a row after which nobody seems to take anything: ten minutes.
const MOST_PAUSES: u32 = 1_200;

/// Runs one of the commands.
pub(in crate::cli) async fn dead_letter<B: Buckets>(console: &Console, command: &DeadLetter) -> Result<(), Failure> {
    match command {
        DeadLetter::List(asked) => look::list::<B>(console, asked).await,
        DeadLetter::Show(asked) => look::show::<B>(console, asked).await,
        DeadLetter::Replay(asked) => replay::<B>(console, asked).await,
        DeadLetter::Forget(asked) => forget(console, asked).await,
    }
}

async fn replay<B: Buckets>(console: &Console, asked: &Replay) -> Result<(), Failure> {
    let bar = console.progress("replaying", None, Unit::Records);
    let done = match Opened::open::<B>(&asked.foreign).await? {
        Some(bucket) => replay_foreign(&bucket, asked, &bar).await,
        None => replay_stream(asked, &bar).await,
    };
    bar.finish_and_clear();
    let tally = done?;
    if console.is_json() {
        return console.say_json(&json!({ "dry_run": asked.dry_run, "tally": tally }));
    }
    console.say(&told(&tally, asked))?;
    for (records, what) in [
        (tally.forgotten, "failures are of objects so old that it was forgotten whether they were replayed"),
        (tally.unreadable, "lines are no failures"),
        (tally.not_replayable, "records cannot be put into a stream"),
    ] {
        if records > 0 {
            console.note(&format!("{} {what}", count(records)));
        }
    }
    tally.passed_over.iter().for_each(|why| console.note(&format!("passed over: {why}")));
    Ok(())
}

fn told(tally: &Tally, asked: &Replay) -> String {
    let before = match tally.already {
        0 => String::new(),
        already => format!("; {} were replayed before", count(already)),
    };
    let (records, size) = (count(tally.replayed), bytes(tally.replayed_bytes));
    match (tally.replayed, asked.dry_run) {
        (0, _) => format!("nothing to replay into {}{before}", asked.stream),
        (_, true) => format!("would replay {records} failures ({size}) into {}{before}", asked.stream),
        (_, false) => format!("replayed {records} failures ({size}) into {}{before}", asked.stream),
    }
}

async fn replay_stream(asked: &Replay, bar: &ProgressBar) -> Result<Tally, Failure> {
    let mut wish = Wish {
        account: asked.at.account.clone(),
        filter: asked.choice.filter(),
        object: asked.object.clone(),
        dry_run: asked.dry_run,
        ..Wish::default()
    };
    let mut patience = Patience::default();
    let mut all = Tally::default();
    loop {
        let tally: Tally = question(&asked.at, &asked.stream, "replay", &wish).await?;
        patience.after(&tally).await?;
        all.add(tally);
        bar.set_position(all.replayed + all.already);
        match all.next.take() {
            Some(next) => wish.cursor = next,
            None => return Ok(all),
        }
    }
}

async fn replay_foreign(bucket: &Opened, asked: &Replay, bar: &ProgressBar) -> Result<Tally, Failure> {
    let filter = asked.choice.filter();
    let mut all = Tally::default();
    if let Some(key) = &asked.object {
        let (object, _) = bucket.object(key).await?;
        bring(bucket, &object, asked, &mut all, bar).await?;
        return Ok(all);
    }
    let mut objects = bucket.objects(&filter)?;
    while let Some((object, stage)) = bucket.next(&mut objects).await? {
        if stage.course().is_none() {
            all.passed_over(format!("{}: records of {} cannot be replayed", object.key, stage.as_str()));
            continue;
        }
        bring(bucket, &object, asked, &mut all, bar).await?;
    }
    Ok(all)
}

/// Brings the failures of one object to the host.
async fn bring(
    bucket: &Opened,
    object: &Stored,
    asked: &Replay,
    all: &mut Tally,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let filter = asked.choice.filter();
    let mut reading = Reading::start(bucket.look.clone(), &bucket.bucket, object, 0);
    all.objects += 1;
    loop {
        let lines = match reading.next().await {
            Ok(Some(lines)) => lines,
            Ok(None) => return Ok(()),
            Err(error @ ReadError::Damaged { .. }) => {
                all.passed_over(format!("{:#}", anyhow::Error::from(error)));
                return Ok(());
            }
            Err(error) => return Err(Failure::new(error).hint("run it again: it goes on where it stopped")),
        };
        let mut failures = Vec::new();
        for line in lines {
            match line.failure {
                Ok(failure) if filter.takes(&failure, object) => failures.push((line.at, failure)),
                Ok(_) => {}
                Err(_) => all.unreadable += 1,
            }
        }
        let brought = Brought {
            account: asked.at.account.clone(),
            bucket: bucket.bucket.clone(),
            key: object.key.clone(),
            etag: object.etag.clone(),
            modified_ms: object.modified_ms,
            failures,
            dry_run: asked.dry_run,
        };
        let mut patience = Patience::default();
        loop {
            let tally: Tally = question(&asked.at, &asked.stream, "take", &brought).await?;
            let is_paused = tally.paused.is_some();
            patience.after(&tally).await?;
            all.add(tally);
            bar.set_position(all.replayed + all.already);
            if !is_paused {
                break;
            }
        }
    }
}

/// Waits where the journal is full, and not for ever.
#[derive(Debug, Default)]
struct Patience(u32);

impl Patience {
    async fn after(&mut self, tally: &Tally) -> Result<(), Failure> {
        let Some(why) = &tally.paused else {
            self.0 = 0;
            return Ok(());
        };
        self.0 += 1;
        if self.0 > MOST_PAUSES {
            let hint = "see that the stream delivers, then run it again: it goes on where it stopped";
            return Err(Failure::told(format!("nothing more is put into the stream: {why}")).hint(hint));
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

async fn forget(console: &Console, asked: &Forget) -> Result<(), Failure> {
    let wish = json!({ "account": asked.at.account, "before_ms": asked.before });
    let answer: Value = question(&asked.at, &asked.stream, "forget", &wish).await?;
    if console.is_json() {
        return console.say_json(&answer);
    }
    let left = answer["remembered"].as_u64().unwrap_or(0);
    console.say(&format!(
        "older objects cannot be replayed into {} any more; {} ranges of failures are still remembered",
        asked.stream,
        count(left)
    ))
}
