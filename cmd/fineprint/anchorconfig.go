package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/anchor"
)

// anchorsConfig names the outside parties that are asked to state that they saw
// the log. By default it is empty: no third party is asked unless told.
type anchorsConfig struct {
	TSA           tsaList  `yaml:"tsa"`            // timestamp authorities (RFC 3161)
	WitnessPolicy string   `yaml:"witness_policy"` // file of c2sp.org/tlog-policy; its witnesses with an address are asked
	Calendars     []string `yaml:"calendars"`      // of OpenTimestamps, addresses
	Explorer      string   `yaml:"explorer"`       // of Bitcoin blocks (Esplora), for the headers beside the proofs
	PublicURL     string   `yaml:"public_url"`     // address under which the folder log/ of the archive is served; its checkpoints are submitted to the Wayback Machine
	Timeout       duration `yaml:"timeout"`        // of one round
}

// tsaConfig is a timestamp authority.
type tsaConfig struct {
	Name  string `yaml:"name"`
	URL   string `yaml:"url"`   // may be left out for a public authority that we know by name
	Roots string `yaml:"roots"` // PEM file, or "system"
}

// tsaList is a list of authorities; as text, "NAME ROOTS [URL]" with commas
// between them.
type tsaList []tsaConfig

// UnmarshalText reads the form of flags and variables.
func (l *tsaList) UnmarshalText(text []byte) error {
	var list tsaList
	for part := range strings.SplitSeq(string(text), ",") {
		words := strings.Fields(part)
		switch len(words) {
		case 0:
			continue
		case 2:
			words = append(words, "")
		case 3:
		default:
			return fmt.Errorf("%q is not NAME ROOTS or NAME ROOTS URL", strings.TrimSpace(part))
		}
		list = append(list, tsaConfig{Name: words[0], Roots: words[1], URL: words[2]})
	}
	*l = list
	return nil
}

// resolveAnchors checks the section and makes its paths absolute. Files are read
// when somebody is to be asked.
func (c *config) resolveAnchors() error {
	n := &c.Anchors
	for i := range n.TSA {
		t := &n.TSA[i]
		if t.URL == "" {
			at := slices.IndexFunc(anchor.PublicAuthorities(), func(p anchor.PublicAuthority) bool { return p.Name == t.Name })
			if at < 0 {
				return usageErrorf("configuration: anchors.tsa: no public timestamp authority is known here as %q: give its url; known by name are %s", t.Name, publicNames())
			}
			t.URL = anchor.PublicAuthorities()[at].URL
		}
		if t.Roots == "" {
			return usageErrorf("configuration: anchors.tsa %s: roots is missing: the authority's root certificate as a PEM file, or the word system", t.Name)
		}
		if t.Roots != anchor.SystemRootsName {
			t.Roots = c.abs(t.Roots)
		}
	}
	if n.WitnessPolicy != "" {
		n.WitnessPolicy = c.abs(n.WitnessPolicy)
	}
	if u, err := url.Parse(n.Explorer); n.Explorer != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return usageErrorf("configuration: anchors.explorer is no http or https address")
	}
	if u, err := url.Parse(n.PublicURL); n.PublicURL != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https") {
		return usageErrorf("configuration: anchors.public_url is no http or https address")
	}
	if n.Timeout < duration(time.Second) {
		return usageErrorf("configuration: anchors.timeout is at least 1s")
	}
	return nil
}

func publicNames() string {
	var names []string
	for _, p := range anchor.PublicAuthorities() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// empty reports whether nobody is named.
func (n *anchorsConfig) empty() bool {
	return len(n.TSA) == 0 && n.WitnessPolicy == "" && len(n.Calendars) == 0
}

// anchorParties reads roots and policy. Requests go the way that HTTP_PROXY and its
// kin say: crawl.proxy is for pages.
func (c *config) anchorParties() (archive.AnchorParties, error) {
	n := &c.Anchors
	p := archive.AnchorParties{
		Calendars: n.Calendars, Explorer: n.Explorer, Timeout: time.Duration(n.Timeout), UserAgent: c.agent,
		HTTP: &http.Client{Transport: http.DefaultTransport},
	}
	for _, t := range n.TSA {
		roots, err := anchor.ReadRoots(t.Roots)
		if err != nil {
			return p, usageErrorf("anchors.tsa %s: %w", t.Name, err)
		}
		p.Authorities = append(p.Authorities, anchor.Authority{Name: t.Name, URL: t.URL, Roots: roots})
	}
	if n.WitnessPolicy != "" {
		text, err := readBounded(n.WitnessPolicy, 1<<20)
		if err == nil {
			p.Policy, err = anchor.ParsePolicy(text)
		}
		if err != nil {
			return p, usageErrorf("anchors.witness_policy %s: %w", n.WitnessPolicy, err)
		}
		if !slices.ContainsFunc(p.Policy.Witnesses(), func(w anchor.WitnessEndpoint) bool { return w.URL != "" }) {
			return p, usageErrorf("anchors.witness_policy %s: none of its witnesses has an address: write it at the end of its line", n.WitnessPolicy)
		}
	}
	if err := p.Check(); err != nil {
		return p, usageErrorf("anchors: %w", err)
	}
	return p, nil
}
