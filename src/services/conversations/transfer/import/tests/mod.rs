//! What is read from a file, what is repaired and what is refused.

mod chatgpt;
mod own;
mod stream;
