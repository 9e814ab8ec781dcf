//! Steps that are repeated with other words in them.
//!
//! ```toml
//! [[step]]
//! times = 2
//! rounds = [{ peer = "bird1", block = "172.16.2.0/26" }, { peer = "frr1", block = "172.16.3.0/26" }]
//! [[step.step]]
//! exec = { node = "{peer}", run = "add {block}; echo round {n}" }
//! [[step.step]]
//! sleep = 1
//! ```
//!
//! stands for eight steps: both, for each round in turn, and all of that twice. `{n}` counts the rounds from 1; braces
//! around any other word stay as they are.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use serde::Deserialize;
use toml::{Table, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rounds {
    /// The words of each round.
    rounds: Vec<BTreeMap<String, String>>,
    /// How often all rounds are gone through.
    #[serde(default = "once")]
    times: usize,
    /// The steps of a round.
    step: Vec<Table>,
}

fn once() -> usize {
    1
}

/// The steps a table of `[[step]]` stands for: itself, or those of its rounds.
pub(super) fn unroll(table: Table) -> Result<Vec<Table>> {
    if !table.contains_key("rounds") {
        return Ok(vec![table]);
    }
    let rounds: Rounds =
        Value::Table(table).try_into().map_err(|e: toml::de::Error| anyhow!("`rounds`: {}", e.message()))?;
    let keys = |words: &BTreeMap<String, String>| words.keys().cloned().collect::<Vec<_>>();
    let alike = rounds.rounds.windows(2).all(|pair| matches!(pair, [a, b] if keys(a) == keys(b)));
    ensure!(alike, "`rounds`: each round must give the same words");
    let turns = std::iter::repeat_n(&rounds.rounds, rounds.times).flatten();
    let steps = turns.zip(1..).flat_map(|(words, n)| {
        let mut words = words.clone();
        words.insert("n".into(), n.to_string());
        rounds.step.iter().map(move |step| fill_table(step, &words)).collect::<Vec<_>>()
    });
    Ok(steps.collect())
}

fn fill_table(table: &Table, words: &BTreeMap<String, String>) -> Table {
    table.iter().map(|(key, value)| (key.clone(), fill(value, words))).collect()
}

fn fill(value: &Value, words: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => {
            let filled = words
                .iter()
                .fold(text.clone(), |text, (key, word)| text.replace(&format!("{{{key}}}"), word));
            Value::String(filled)
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, words)).collect()),
        Value::Table(table) => Value::Table(fill_table(table, words)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(text: &str) -> Vec<String> {
        let steps = unroll(text.parse().unwrap()).unwrap();
        steps.iter().map(|step| step["exec"]["run"][0].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_round_is_gone_through_as_often_as_said() {
        let text =
            "times = 2\nrounds = [{x = \"a\"}, {x = \"b\"}]\n[[step]]\nexec = {run = [\"{n} {x} ${x} {y}\"]}";
        assert_eq!(runs(text), ["1 a $a {y}", "2 b $b {y}", "3 a $a {y}", "4 b $b {y}"]);
    }

    #[test]
    fn other_steps_stand_for_themselves() {
        let step: Table = "exec = {run = [\"{n}\"]}".parse().unwrap();
        assert_eq!(unroll(step.clone()).unwrap(), [step]);
    }

    #[test]
    fn a_round_that_lacks_a_word_is_a_mistake() {
        let text = "rounds = [{x = \"a\"}, {y = \"b\"}]\n[[step]]\nsleep = 1";
        assert!(unroll(text.parse().unwrap()).unwrap_err().to_string().contains("the same words"));
        let error = unroll("rounds = []\nstep = []\nverb = 1".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("unknown field `verb`"), "{error}");
    }
}
