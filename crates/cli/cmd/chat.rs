//! `toolkit chat`: a conversation about a picture.

use crate::cmd::vqa::chosen_prompt;
use crate::context::Context;
use crate::decoding::Search;
use crate::opened::{Opened, best};
use crate::out;
use crate::which::{Purpose, Which};
use clap::Args as Arguments;
use serde_json::{Value, json};
use std::io::BufRead;
use std::path::PathBuf;
use toolkit_vlm::Decoding;

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
    which: Which,
    #[command(flatten)]
    search: Search,
    /// Picture file
    image: PathBuf,
    /// A question; may be given several times [default: lines of standard input]
    #[arg(long, value_name = "TEXT")]
    question: Vec<String>,
    /// The prompt of one question, with {} for it [default: as for `toolkit vqa`]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
}

/// A conversation so far.
struct Chat<'a> {
    context: &'a Context,
    args: &'a Args,
    opened: Opened,
    prompt: String,
    decoding: Decoding,
    said: String,
    turns: Vec<Value>,
}

impl Chat<'_> {
    /// Asks one question; the answer becomes part of what is asked next.
    fn ask(&mut self, question: &str) -> anyhow::Result<()> {
        let turn = self.prompt.replace("{}", question.trim());
        let prompt = format!("{}{turn}", self.said);
        let written =
            self.opened.ask(&self.args.image, std::slice::from_ref(&prompt), &self.decoding)?;
        let answer = best(&written[0])?;
        self.said = format!("{prompt} {}. ", answer.text.trim_end_matches('.'));
        if !self.context.json {
            out::out(&format!("{}\n", out::shown(&answer.text)))?;
        }
        self.turns.push(json!({"question": question, "prompt": prompt, "text": answer.text, "ids": answer.ids, "score": answer.score, "finished": answer.finished}));
        Ok(())
    }
}

/// Runs the command.
///
/// # Errors
/// If the picture, weights or the checkpoint cannot be used, or the conversation outgrows the
/// language model.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<()> {
    let opened = args.which.open(context, Purpose::Speak)?;
    let (prompt, decoding) = opened.vqa(context)?;
    let decoding =
        args.search.over(Decoding { max_new_tokens: 30, length_penalty: 1.0, ..decoding });
    let prompt = chosen_prompt(args.prompt.as_ref(), prompt)?;
    let mut chat =
        Chat { context, args, opened, prompt, decoding, said: String::new(), turns: Vec::new() };
    if args.question.is_empty() {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            if !line.trim().is_empty() {
                chat.ask(&line)?;
            }
        }
    }
    for question in &args.question {
        chat.ask(question)?;
    }
    if context.json {
        out::json(
            &json!({"image": out::path(&args.image), "of": chat.opened.of, "turns": chat.turns}),
        )?;
    }
    Ok(())
}
