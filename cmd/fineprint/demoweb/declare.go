package demoweb

// Declarations returns what to watch of the site at the given addresses, as a
// file of fineprint's YAML form (its name must end in .yaml): 13 documents, each
// from a source of its own.
func Declarations(base Base) []byte { return []byte(render("declarations.yaml", base)) }

// Declarations returns what to watch of the site at the addresses it listens on.
func (w *Web) Declarations() []byte { return Declarations(w.Base) }
