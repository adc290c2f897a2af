package wayback

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// MaxBatch is the most jobs of one call of Statuses.
const MaxBatch = 50

// System says how Save Page Now is doing.
type System struct {
	OK      bool
	Message string // its words if it is overloaded: it works, with delay
}

// SystemStatus asks how Save Page Now is doing, after waiting for the pacer; it
// needs no keys. An outage is an error. Errors are as with Submit.
func (c *Client) SystemStatus(ctx context.Context) (System, error) {
	const op = "system status"
	a, err := c.read(ctx, KindOther, op, c.base+"/save/status/system", http.Header{"Accept": {"application/json"}}, nil)
	if err != nil {
		return System{}, err
	}
	s, e := parseSystem(a)
	if e != nil {
		return System{}, c.refuse(e, a)
	}
	c.pacer.fine(op)
	return s, nil
}

// parseSystem reads {"status":"ok"} or {"status":"a sentence"}.
func parseSystem(a *Answered) (System, *Error) {
	const op = "system status"
	if e := turnedAway(op, a); e != nil {
		return System{}, e
	}
	m, ok := parseObject(a.Body)
	if !ok {
		return System{}, notJSON(op, a.Status, a.Body)
	}
	words := text(m, "status")
	if words == "" || a.Status != http.StatusOK {
		return System{}, bodyError(op, a.Status, "", clean(text(m, "message"), maxMessage), nil)
	}
	if strings.EqualFold(words, "ok") {
		return System{OK: true}, nil
	}
	return System{Message: clean(words, maxMessage)}, nil
}

// JobAnswer is what a batch says about one job: a status, or what is wrong with it.
type JobAnswer struct {
	Status Status
	Err    *Error
}

// Statuses asks for up to MaxBatch jobs at once, after waiting for the pacer, and
// returns the answers by job id. A job may be missing: ask for it alone. Errors
// are as with Submit; one of a job alone is in its answer, see Status.
func (c *Client) Statuses(ctx context.Context, jobIDs []string) (map[string]JobAnswer, error) {
	const op = "status"
	ask := make(map[string]bool, len(jobIDs))
	for _, id := range jobIDs {
		if !usableID(id) || strings.Contains(id, ",") {
			return nil, &Error{Op: op, Class: ClassPermanent, Code: "job-id", Message: "not a usable job id"}
		}
		ask[id] = true
	}
	if len(jobIDs) == 0 {
		return nil, nil
	}
	if len(jobIDs) > MaxBatch {
		return nil, &Error{Op: op, Class: ClassPermanent, Code: "job-id", Message: "more than 50 job ids in one batch"}
	}
	if err := c.needKeys(op); err != nil {
		return nil, err
	}
	if err := c.pacer.Turn(ctx, KindOther); err != nil {
		return nil, err
	}
	got, err := c.do(ctx, op, http.MethodPost, "/save/status", url.Values{"job_ids": {strings.Join(jobIDs, ",")}})
	if err != nil {
		return nil, err
	}
	list, e := parseBatch(got.status, got.body)
	if e != nil {
		return nil, c.judge(e, got.status, got.header)
	}
	c.pacer.fine(op)
	for id, j := range list {
		if !ask[id] {
			delete(list, id)
			continue
		}
		j.Status.Message, j.Status.Receipt = c.redact(j.Status.Message), c.redactBytes(j.Status.Receipt)
		if j.Err != nil {
			j.Err.Message, j.Err.Receipt = c.redact(j.Err.Message), c.redactBytes(j.Err.Receipt)
		}
		list[id] = j
	}
	return list, nil
}

// parseBatch reads a list of statuses, or an object of them by job id.
func parseBatch(httpStatus int, body []byte) (map[string]JobAnswer, *Error) {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		m, ok := parseObject(body)
		if !ok {
			return nil, notJSON("status", httpStatus, body)
		}
		if text(m, "status") != "" || text(m, "status_ext") != "" || text(m, "message") != "" {
			return nil, bodyError("status", httpStatus, text(m, "status_ext"), clean(text(m, "message"), maxMessage), nil)
		}
		for id, raw := range m {
			list = append(list, withID(id, raw))
		}
	}
	out := make(map[string]JobAnswer, len(list))
	for _, raw := range list[:min(len(list), 2*MaxBatch)] {
		m, ok := parseObject(raw)
		id := text(m, "job_id")
		if !ok || !usableID(id) {
			continue
		}
		s, e := parseStatus(http.StatusOK, raw)
		out[id] = JobAnswer{s, e}
	}
	return out, nil
}

// withID adds the job id to a status that has none.
func withID(id string, raw json.RawMessage) json.RawMessage {
	m, ok := parseObject(raw)
	if !ok || text(m, "job_id") != "" {
		return raw
	}
	name, err := json.Marshal(id)
	if err != nil {
		return raw
	}
	m["job_id"] = name
	b, err := json.Marshal(m)
	if err != nil {
		return raw
	}
	return b
}
