"""Files of questions in any format and layout: from bytes to raw records, and what is wrong with them."""
