package warc

import (
	"fmt"
	"mime"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// headerRule says what the standard demands of one named field (WARC 1.1,
// section 5; section 6 for the types).
type headerRule struct {
	name       string
	mandatory  []string // types that must have it
	allowed    []string // the only types that may have it; nil for all but forbidden
	forbidden  []string // types that must not have it
	repeatable bool
	value      func(string) error // nil for any text
}

// The types of section 6, and groups of them.
var (
	allTypes     = []string{TypeWarcinfo, TypeResponse, TypeResource, TypeRequest, TypeMetadata, TypeRevisit, "conversion", "continuation"}
	targetTypes  = []string{TypeResponse, TypeResource, TypeRequest, TypeRevisit, "conversion", "continuation"}
	noConnection = []string{TypeWarcinfo, "conversion", "continuation"}
)

var headerRules = []headerRule{
	{name: fieldRecordID, mandatory: allTypes, value: checkID},
	{name: fieldLength, mandatory: allTypes},
	{name: fieldDate, mandatory: allTypes, value: checkDate},
	{name: fieldType, mandatory: allTypes},
	{name: fieldContentType, value: checkMediaType},
	{name: fieldConcurrentTo, forbidden: noConnection, repeatable: true, value: checkID},
	{name: fieldBlock, value: checkDigest},
	{name: fieldPayload, value: checkDigest},
	{name: fieldIPAddress, forbidden: noConnection, value: checkIP},
	{name: fieldRefersTo, allowed: []string{TypeRevisit, TypeMetadata, "conversion"}, value: checkID},
	{name: fieldRefersToURI, allowed: []string{TypeRevisit}, value: checkURI},
	{name: fieldRefersToDate, allowed: []string{TypeRevisit}, value: checkDate},
	{name: fieldTargetURI, mandatory: targetTypes, forbidden: []string{TypeWarcinfo}, value: checkURI},
	{name: fieldTruncated, value: oneOf("length", "time", "disconnect", "unspecified")},
	{name: fieldWarcinfoID, forbidden: []string{TypeWarcinfo}, value: checkID},
	{name: fieldFilename, allowed: []string{TypeWarcinfo}},
	{name: fieldProfile, mandatory: []string{TypeRevisit}, allowed: []string{TypeRevisit}, value: checkURI},
	{name: fieldIdentified, value: checkMediaType},
	{name: "WARC-Segment-Number", mandatory: []string{"continuation"}, value: checkCount},
	{name: "WARC-Segment-Origin-ID", mandatory: []string{"continuation"}, allowed: []string{"continuation"}, value: checkID},
	{name: "WARC-Segment-Total-Length", allowed: []string{"continuation"}, value: checkCount},
	{name: fieldProtocol, repeatable: true},
	{name: fieldCipherSuite},
	{name: FieldLook, forbidden: []string{TypeWarcinfo}, value: checkLook},
	{name: FieldPart, allowed: []string{TypeMetadata}, value: oneOf(PartInterim, PartSurplus, PartFragment)},
}

// checkHeader applies the table.
func checkHeader(typ string, h Header, report func(rule, message string)) {
	for _, r := range headerRules {
		values := h.Values(r.name)
		switch {
		case len(values) == 0 && slices.Contains(r.mandatory, typ):
			report("mandatory", fmt.Sprintf("no %s, mandatory for %s records", r.name, typ))
		case len(values) == 0:
			continue
		case r.allowed != nil && !slices.Contains(r.allowed, typ) || slices.Contains(r.forbidden, typ):
			report("forbidden", fmt.Sprintf("%s is not allowed in %s records", r.name, typ))
		case len(values) > 1 && !r.repeatable:
			report("repeated", fmt.Sprintf("%s stands %d times", r.name, len(values)))
		}
		for _, v := range values {
			if r.value == nil {
				continue
			}
			if err := r.value(v); err != nil {
				report("value", fmt.Sprintf("%s: %v", r.name, err))
			}
		}
	}
	for _, f := range h {
		if !isToken(f.Name) {
			report("field-syntax", fmt.Sprintf("field name %.80q is not a token", f.Name))
		}
		if strings.ContainsFunc(f.Value, isControl) || !utf8.ValidString(f.Value) {
			report("field-syntax", fmt.Sprintf("%.80s: %.80q holds a control character or is not UTF-8", f.Name, f.Value))
		}
	}
	if n, err := h.contentLength(); err == nil && n > 0 && h.Get(fieldContentType) == "" && typ != "continuation" {
		report("mandatory", "no Content-Type for a block with content")
	}
}

var schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:\S*$`)

func checkURI(v string) error {
	if !schemePattern.MatchString(unbracket(v)) {
		return fmt.Errorf("%.200q is not a URI", v)
	}
	return nil
}

func checkID(v string) error {
	if !strings.HasPrefix(v, "<") || !strings.HasSuffix(v, ">") {
		return fmt.Errorf("%.200q is not in angle brackets", v)
	}
	return checkURI(v)
}

func checkDate(v string) error {
	_, err := ParseDate(v)
	return err
}

var digestPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+:[A-Za-z0-9=+/_-]+$`)

func checkDigest(v string) error {
	if !digestPattern.MatchString(v) {
		return fmt.Errorf("%.200q is not an algorithm, a colon and a digest", v)
	}
	return nil
}

func checkIP(v string) error {
	_, err := netip.ParseAddr(v)
	return err
}

func checkMediaType(v string) error {
	name, _, _ := strings.Cut(v, ";")
	if typ, sub, ok := strings.Cut(strings.TrimSpace(name), "/"); !ok || !isToken(typ) || !isToken(sub) {
		return fmt.Errorf("%.200q is not a media type", v)
	}
	_, _, err := mime.ParseMediaType(v)
	return err
}

func checkCount(v string) error {
	_, err := strconv.ParseUint(v, 10, 63)
	return err
}

func checkLook(v string) error {
	source, number, ok := strings.Cut(v, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || source == "" || err != nil || n < 1 {
		return fmt.Errorf("%.200q is not the id of a source and the number of a look", v)
	}
	return nil
}

func oneOf(values ...string) func(string) error {
	return func(v string) error {
		if slices.Contains(values, v) {
			return nil
		}
		return fmt.Errorf("%.80q, want one of %s", v, strings.Join(values, ", "))
	}
}
