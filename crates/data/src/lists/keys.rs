//! Names that tools give to the same thing, the usual one first.

/// The path of a picture.
pub(crate) const PICTURE: &[&str] = &[
    "image",
    "file_name",
    "filename",
    "image_path",
    "image_file",
    "image_name",
    "image_filename",
    "img_path",
    "img",
    "path",
    "file_path",
    "filepath",
    "file",
    "picture",
    "photo",
];

/// Captions of a picture. Keys of one meaning stand together, and the captions of all of them are
/// read. Of several meanings the first that has a text is read.
pub(crate) const CAPTION: &[&[&str]] = &[
    JUST_CAPTION,
    &["text", "texts"],
    &["sentence", "sentences"],
    &["raw"],
    &["title"],
    &["description", "descriptions"],
    &["alt_text"],
    &["comment"],
];

/// Captions by their own name.
pub(crate) const JUST_CAPTION: &[&str] = &["caption", "captions"];

/// The text of a caption that is an object itself.
pub(crate) const IN_CAPTION: &[&str] =
    &["raw", "caption", "text", "sentence", "description", "comment"];

/// A question. The first key that has a text is read.
pub(crate) const QUESTION: &[&str] = &["question", "query", "sent"];

/// The id of a question.
pub(crate) const QUESTION_ID: &[&str] = &["question_id", "questionId", "qid"];

/// Answers to a question. The key with the most of them is read.
pub(crate) const ANSWER: &[&str] = &["answer", "answers", "direct_answers", MOST_COMMON];

/// The answer that most people gave, in addition to those of all.
pub(crate) const MOST_COMMON: &str = "multiple_choice_answer";

/// The text of an answer that is an object itself.
pub(crate) const IN_ANSWER: &[&str] = &["answer", "raw_answer", "text"];

/// The id of a picture.
pub(crate) const IMAGE_ID: &[&str] = &["image_id", "img_id", "imageId", "id"];

/// Keys that hold no text a list could be about. A row with only such keys keeps its texts back.
pub(crate) const SILENT: &[&str] = &[
    "id",
    "image_id",
    "img_id",
    "imageId",
    "question_id",
    "questionId",
    "qid",
    "question",
    "query",
    "sent",
    "question_type",
    "answer_type",
    "answerable",
    "difficult_direct_answer",
    "choices",
    "dataset",
    "source",
    "split",
    "width",
    "height",
    "url",
    "coco_url",
    "flickr_url",
    "image_url",
    "license",
    "date_captured",
    "open_images_id",
    "domain",
];

/// Lists inside an object that are the rows of a file.
pub(crate) const ROWS: &[&str] =
    &["annotations", "data", "rows", "samples", "items", "examples", "records", "entries"];
