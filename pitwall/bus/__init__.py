"""Where frames come from and go to: files, adapters and a simulator in, `Frames` out, and back."""
