//! What is not REPLICATE goes to a server behind ours, which does what a test wants.

mod behind;
mod ends;
mod passing;
