package declaration

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Counts says how an Open Terms Archive collection was read.
type Counts struct {
	Services   int `json:"services"`   // with a declaration that could be read
	Terminated int `json:"terminated"` // of them without terms
	Terms      int `json:"terms"`      // declared, each terms type of a service once
	Accepted   int `json:"accepted"`   // of Terms: read whole, nothing to report
	Reported   int `json:"reported"`   // of Terms: read with warnings
	Refused    int `json:"refused"`    // of Terms: not read, for an error

	Parts   int `json:"parts"`   // addresses of the terms read, repeated ones counted again
	Sources int `json:"sources"` // different ones

	Combined     int `json:"combined"`      // documents of several parts
	PDF          int `json:"pdf"`           // parts that are PDF
	NeedsFilter  int `json:"needs_filter"`  // documents with a JavaScript filter
	NeedsBrowser int `json:"needs_browser"` // documents with scripts to execute
	UnknownTerms int `json:"unknown_terms"` // documents of a terms type that is not known

	Histories    int      `json:"histories"`     // services with earlier declarations
	Past         int      `json:"past"`          // earlier declarations
	FilterFiles  int      `json:"filter_files"`  // files of JavaScript filters, past ones included
	PastFilters  int      `json:"past_filters"`  // of them, files of earlier filters
	Languages    []string `json:"languages"`     // named by metadata.yml
	DefaultLang  string   `json:"default_lang"`  // used for all documents, "" if undeclared
	Errors       int      `json:"errors"`        // problems of severity error
	Warnings     int      `json:"warnings"`      // problems of severity warning
	Files        int      `json:"files"`         // files read
	FilterNames  int      `json:"filter_names"`  // different filters exported by the filter files
	MissingNames int      `json:"missing_names"` // filters asked for that no file exports
}

// ReadCollection reads a whole Open Terms Archive collection: the folder that
// holds declarations/, or that folder itself. If metadata.yml names a single
// language it is that of all documents, unless opt names one.
//
// What is wrong with declarations stands in Set.Problems and in the counts; the
// error is only about the folder, the options or ctx.
func ReadCollection(ctx context.Context, dir string, opt Options) (*Set, Counts, error) {
	opt, err := opt.check()
	if err != nil {
		return nil, Counts{}, err
	}
	c := newCollector(opt)
	if err := c.add(ctx, dir); err != nil {
		return nil, Counts{}, err
	}
	if len(c.files) == 0 {
		for _, p := range c.problems {
			return nil, Counts{}, fmt.Errorf("read collection: %w", p)
		}
		return nil, Counts{}, errors.New("read collection: no declarations")
	}
	files, err := parseAll(ctx, c.tree, c.files, opt)
	if err != nil {
		return nil, Counts{}, err
	}
	filters := c.filterFiles()
	var counts Counts
	for _, f := range files {
		counts.MissingNames += filters.check(f)
	}
	counts.FilterFiles, counts.PastFilters, counts.FilterNames = filters.files, filters.past, len(filters.all)
	counts.Languages, counts.DefaultLang = c.metadataLanguages(dir), opt.Lang
	if counts.DefaultLang == "" {
		counts.DefaultLang = c.files[0].lang
	}
	set := build(files, c.problems)
	counts.add(set, files)
	return set, counts, nil
}

// add counts what was read.
func (n *Counts) add(set *Set, files []*parsed) {
	n.Files = len(files)
	n.Services, n.Sources, n.Histories = set.Services, len(set.Sources), len(set.Histories)
	reported := 0
	for _, f := range files {
		for i := range f.services {
			s := &f.services[i]
			n.Terms += s.terms
			reported += s.reported
			if s.terms == 0 {
				n.Terminated++
			}
		}
	}
	n.Refused = n.Terms - len(set.Documents)
	n.Accepted = n.Terms - max(reported, n.Refused)
	n.Reported = n.Terms - n.Accepted - n.Refused
	for _, d := range set.Documents {
		n.addDocument(d)
	}
	for _, h := range set.Histories {
		for _, past := range h.Terms {
			n.Past += len(past)
		}
	}
	for _, p := range set.Problems {
		if p.Severity == SeverityError {
			n.Errors++
		} else {
			n.Warnings++
		}
	}
}

func (n *Counts) addDocument(d Document) {
	n.Parts += len(d.Parts)
	if len(d.Parts) > 1 {
		n.Combined++
	}
	for _, p := range d.Parts {
		if p.PDF {
			n.PDF++
		}
	}
	if slices.ContainsFunc(d.Parts, func(p Part) bool { return len(p.Filters) > 0 }) {
		n.NeedsFilter++
	}
	if slices.ContainsFunc(d.Parts, func(p Part) bool { return p.ExecuteClientScripts != nil && *p.ExecuteClientScripts }) {
		n.NeedsBrowser++
	}
	if _, known := TermsType(d.Terms); !known {
		n.UnknownTerms++
	}
}

// filterSet is what the filter files of a collection export.
type filterSet struct {
	byService   map[string]map[string]bool // names exported, by path without ".filters.js"
	all         map[string]bool
	files, past int
}

// exports finds the names that a JavaScript module exports: functions, constants
// and lists in braces. It need not be exact, as nothing is run by it: a name that
// it misses costs a warning.
var exports = regexp.MustCompile(`(?m)^\s*export\s+(?:async\s+)?(?:function\s*\*?|const|let|var)\s*([\p{L}_$][\p{L}\p{N}_$]*)|^\s*export\s*\{([^}]*)\}`)

// filterFiles reads the names that the filter files beside the declarations
// export. A file that cannot be read exports nothing.
func (c *collector) filterFiles() filterSet {
	set := filterSet{byService: make(map[string]map[string]bool), all: make(map[string]bool)}
	for dir := range c.dirs() {
		entries, err := c.tree.readDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			base, isFilters := strings.CutSuffix(e.Name(), ".filters.js")
			if strings.HasSuffix(e.Name(), ".filters.history.js") {
				set.files++
				set.past++
			}
			if !isFilters {
				continue
			}
			set.files++
			data, err := c.tree.read(c.tree.join(dir, e.Name()))
			if err != nil {
				continue
			}
			names := exportedNames(data)
			set.byService[c.tree.join(dir, base)] = names
			for name := range names {
				set.all[name] = true
			}
		}
	}
	return set
}

// dirs returns the folders that files were found in.
func (c *collector) dirs() map[string]bool {
	dirs := make(map[string]bool)
	for _, f := range c.files {
		dirs[filepath.Dir(f.path)] = true
	}
	return dirs
}

// exportedNames returns the names that a JavaScript module exports.
func exportedNames(source []byte) map[string]bool {
	names := make(map[string]bool)
	for _, m := range exports.FindAllSubmatch(source, -1) {
		if len(m[1]) > 0 {
			names[string(m[1])] = true
			continue
		}
		for item := range strings.SplitSeq(string(m[2]), ",") {
			fields := strings.Fields(item) // name, or name as other
			if len(fields) > 0 {
				names[fields[len(fields)-1]] = true
			}
		}
	}
	return names
}

// check adds a warning to a file for each filter it asks for that its filter file
// does not export, which Open Terms Archive would drop silently. It returns their
// number.
func (s filterSet) check(f *parsed) int {
	missing := 0
	names := s.byService[strings.TrimSuffix(f.file, ".json")]
	for i := range f.services {
		for _, e := range f.services[i].entries {
			for j, p := range e.document.Parts {
				for _, name := range p.Filters {
					if names[name] {
						continue
					}
					missing++
					f.problems = append(f.problems, Problem{
						File: f.file, Line: e.lines[j], Field: "terms." + e.document.Terms, Severity: SeverityWarning,
						Source: p.Source, Code: CodeNeedsFilter,
						Message: fmt.Sprintf("no filter %q is exported beside the declaration", name),
						Fix:     "correct its name or delete it",
					})
				}
			}
		}
	}
	return missing
}
