package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// step is one line of a transcript: a tool call of the model, or (host) a
// decision that the program puts to the person by itself.
type step struct {
	Tool  string          `json:"tool,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	// Host is "workspace" or "server": the trust prompts.
	Host string `json:"host,omitempty"`
	// Name is the server of a "server" step.
	Name string `json:"name,omitempty"`
	// Answer is what a script says when this step asks: y, s, a or n.
	Answer string `json:"answer,omitempty"`
	// Expect is "ran" or "refused"; empty expects nothing.
	Expect string `json:"expect,omitempty"`
	// Note says what the step is about.
	Note string `json:"note,omitempty"`
	// Needs names a program without which the step is stepped over.
	Needs string `json:"needs,omitempty"`
}

// Limits of a transcript.
const (
	maxSteps = 10_000
	maxLine  = 4 << 20
)

// readTranscript reads one JSON object a line. In the input, $WORK is the
// workspace and $OUT a folder outside of it.
func readTranscript(text string) ([]step, error) {
	var steps []step
	sc := bufio.NewScanner(strings.NewReader(text))
	sc.Buffer(nil, maxLine)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" {
			continue
		}
		if len(steps) == maxSteps {
			return nil, fmt.Errorf("transcript: more than %d lines", maxSteps)
		}
		var s step
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&s); err != nil {
			return nil, fmt.Errorf("transcript:%d: %w", n, err)
		}
		if s.Tool == "" && s.Host == "" {
			return nil, fmt.Errorf("transcript:%d: no \"tool\"", n)
		}
		if s.Expect != "" && s.Expect != "ran" && s.Expect != "refused" {
			return nil, fmt.Errorf("transcript:%d: \"expect\" must be ran or refused", n)
		}
		if s.Input == nil {
			s.Input = json.RawMessage("{}")
		}
		steps = append(steps, s)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	if len(steps) == 0 {
		return nil, errors.New("transcript: empty")
	}
	return steps, nil
}
