package terms

import "fmt"

// Memory is a Library in memory.
type Memory struct{ texts map[string]*Text }

// NewMemory returns an empty library.
func NewMemory() *Memory { return &Memory{map[string]*Text{}} }

// Add keeps a text and returns its name.
func (m *Memory) Add(t *Text) string {
	name := t.Fingerprints().Name()
	m.texts[name] = t
	return name
}

// Text returns a text that was added.
func (m *Memory) Text(name string) (*Text, error) {
	t, ok := m.texts[name]
	if !ok {
		return nil, fmt.Errorf("no text %s", name)
	}
	return t, nil
}
