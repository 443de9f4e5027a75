//! `toolkit vqa`: questions about a picture file.

use crate::context::Context;
use crate::decoding::Search;
use crate::model_args::{LoadedModel, ModelArgs, Purpose, best};
use crate::out;
use crate::text::{decimals, table};
use anyhow::bail;
use clap::Args as Arguments;
use serde_json::json;
use std::path::PathBuf;
use toolkit_system::problem::Problem;
use toolkit_vlm::RankedAnswer;

/// Answers questions about a picture with a run, a published checkpoint or a model card
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit vqa runs/ablate_stage1 photo.png --question 'what is in the middle?'
  toolkit vqa blip2-flan-t5-xl/ photo.png --question 'how many cats are there?' --json
  toolkit vqa blip2-opt-2.7b/ photo.png --question 'where is it?' --prompt 'Question: {} Short answer:'
  toolkit vqa blip2-opt-2.7b/ photo.png --question 'which animal is it?' --choices dog,cat,'polar bear'")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    search: Search,
    /// Picture file
    image: PathBuf,
    /// Question; may be given several times
    #[arg(long, value_name = "TEXT", required = true)]
    question: Vec<String>,
    /// Prompt with {} for the question [default: that of a run's task card; the paper's for
    /// published models]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Answers to choose from, separated by commas; may be given several times. No text is
    /// generated: answers are ranked by their log-probability after the prompt
    #[arg(long, value_name = "TEXTS", value_delimiter = ',')]
    choices: Vec<String>,
}

/// Returns the prompt of `--prompt`, or the model's own.
///
/// # Errors
/// If it has no `{}` for the question.
pub fn chosen_prompt(wanted: Option<&String>, default: String) -> anyhow::Result<String> {
    let Some(wanted) = wanted else { return Ok(default) };
    if !wanted.contains("{}") {
        bail!(
            Problem::new("`--prompt` has no {} for the question")
                .at(format_args!("`{wanted}`"))
                .hint("write 'Question: {} Answer:'")
        );
    }
    Ok(wanted.clone())
}

/// Runs the command.
///
/// # Errors
/// If the picture, weights or the checkpoint cannot be used.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let loaded = args.model.open(context, Purpose::Generate)?;
    let (prompt, decoding) = loaded.question_task(context)?;
    let prompt = chosen_prompt(args.prompt.as_ref(), prompt)?;
    if args.question.iter().any(|question| question.trim().is_empty()) {
        bail!(Problem::new("a question is empty").at("--question ''").hint("write what is asked"));
    }
    if !args.choices.is_empty() && args.search.is_given() {
        let what = "`--choices` scores given answers, nothing is searched for";
        bail!(Problem::new(what).at("--choices").hint("leave options of decoding out"));
    }
    let prompts: Vec<String> =
        args.question.iter().map(|question| prompt.replace("{}", question.trim())).collect();
    loaded.note_special_tokens(context, &[&prompts[..], &args.choices[..]].concat())?;
    if !args.choices.is_empty() {
        return rank(context, args, &loaded, &prompts);
    }
    let decoding = args.search.over(decoding);
    decoding.check()?;
    loaded.vlm.language()?;
    let written = loaded.vlm.answer(&loaded.vlm.picture(&args.image)?, &prompts, &decoding)?;
    let mut answers = Vec::new();
    for ((question, prompt), texts) in args.question.iter().zip(&prompts).zip(&written) {
        let answer = best(texts)?;
        answers.push(json!({
            "image": out::path(&args.image), "of": loaded.of, "question": question,
            "prompt": prompt, "text": answer.text, "ids": answer.ids, "score": answer.score,
            "finished": answer.finished, "answers": texts,
        }));
    }
    context.print(
        || if answers.len() == 1 { answers[0].clone() } else { answers.clone().into() },
        || {
            written
                .iter()
                .flatten()
                .map(|answer| format!("{}\n", out::shown(&answer.text)))
                .collect()
        },
    )
}

/// Ranks the given answers by their log-probability after each prompt (LAVIS `rank_answers`), the
/// most probable first.
fn rank(
    context: &Context,
    args: &Args,
    loaded: &LoadedModel,
    prompts: &[String],
) -> anyhow::Result<()> {
    loaded.vlm.generator()?;
    let picture = loaded.vlm.picture(&args.image)?;
    let ranked = loaded.vlm.rank_answers(&picture, prompts, &args.choices)?;
    let as_json = || {
        let one = |((question, prompt), ranked): ((&String, &String), &Vec<RankedAnswer>)| {
            json!({
                "image": out::path(&args.image),
                "of": loaded.of,
                "question": question,
                "prompt": prompt,
                "text": ranked.first().map(|best| &best.text),
                "choices": ranked,
            })
        };
        let all: Vec<serde_json::Value> =
            args.question.iter().zip(prompts).zip(&ranked).map(one).collect();
        if all.len() == 1 { all[0].clone() } else { all.into() }
    };
    let as_text = || {
        let row = |choice: &RankedAnswer| {
            vec![
                decimals(choice.log_prob, 4),
                decimals(choice.mean_log_prob, 4),
                choice.text.clone(),
            ]
        };
        let one = |ranked: &Vec<RankedAnswer>| {
            table(
                &["log-probability", "mean by token", "answer"],
                &ranked.iter().map(row).collect::<Vec<_>>(),
            )
        };
        ranked.iter().map(one).collect::<Vec<_>>().join("\n")
    };
    context.print(as_json, as_text)
}
