"""What people read: self-contained pages made from finished results."""
