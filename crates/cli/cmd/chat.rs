//! `toolkit chat`: a conversation about a picture.

use crate::cmd::vqa::chosen_prompt;
use crate::context::Context;
use crate::decoding::Search;
use crate::model_args::{ModelArgs, Purpose};
use crate::out;
use clap::Args as Arguments;
use serde_json::json;
use std::io::BufRead;
use std::path::PathBuf;
use toolkit_vlm::{Conversation, Decoding, Turn};

/// Talks about a picture: each question is asked with the questions and answers before it
///
/// The prompt is the paper's: `Question: .. Answer: .. Question: .. Answer:`. Without `--question`,
/// questions are read from standard input, one a line.
#[derive(Arguments)]
#[command(after_help = "\
Examples:
  toolkit chat blip2-flan-t5-xl/ photo.png
  toolkit chat blip2-opt-2.7b/ photo.png --question 'which city is this?' --question 'why?'
  printf 'what is it?\\nwhat colour is it?\\n' | toolkit chat runs/ablate_stage1 photo.png --json")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    search: Search,
    /// Picture file
    image: PathBuf,
    /// Question; may be given several times [default: lines of standard input]
    #[arg(long, value_name = "TEXT")]
    question: Vec<String>,
    /// Prompt of one question, with {} for the question [default: that of `toolkit vqa`]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// If the picture, weights or the checkpoint cannot be used, or the conversation outgrows the
/// language model.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let loaded = args.model.open(context, Purpose::Generate)?;
    let (prompt, decoding) = loaded.question_task(context)?;
    let decoding =
        args.search.over(Decoding { max_new_tokens: 30, length_penalty: 1.0, ..decoding });
    let prompt = chosen_prompt(args.prompt.as_ref(), prompt)?;
    decoding.check()?;
    loaded.vlm.language()?;
    let picture = loaded.vlm.picture(&args.image)?;
    let mut chat = Conversation::new(&loaded.vlm, &picture, prompt, decoding)?;
    let mut turns = Vec::new();
    let mut ask = |question: &str| -> anyhow::Result<()> {
        let Turn { prompt, answer } = chat.ask(question)?;
        if !context.json {
            out::out(&format!("{}\n", out::shown(&answer.text)))?;
        }
        turns.push(json!({
            "question": question, "prompt": prompt, "text": answer.text, "ids": answer.ids,
            "score": answer.score, "finished": answer.finished,
        }));
        Ok(())
    };
    if args.question.is_empty() {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            if !line.trim().is_empty() {
                ask(&line)?;
            }
        }
    }
    args.question.iter().try_for_each(|question| ask(question))?;
    if context.json {
        out::json(&json!({"image": out::path(&args.image), "of": loaded.of, "turns": turns}))?;
    }
    Ok(())
}
