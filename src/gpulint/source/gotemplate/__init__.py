"""Go's text/template, read statically: `parse` gives a Template, `render.Renderer` its text with places.

What cannot be known (a random password, a value that nobody gave, the output of a partial that is not there) stays
unknown on its way through functions and conditions, and is written as a placeholder. See `unknown`.
"""
