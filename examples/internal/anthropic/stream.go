package anthropic

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// event is one server-sent event
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type event struct {
	name string
	data []byte
}

// events splits a stream into events. It is strict where the format is lax: a
// line ends with LF or CRLF (never a lone CR), text is UTF-8, and what stands
// behind the last blank line is an error, not dropped.
type events struct {
	lines *bufio.Scanner
}

func newEvents(r io.Reader) *events {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), MaxEvent)
	s.Split(func(data []byte, end bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, bytes.TrimSuffix(data[:i], []byte("\r")), nil
		}
		if end && len(data) > 0 {
			return 0, nil, io.ErrUnexpectedEOF
		}
		return 0, nil, nil
	})
	return &events{s}
}

// next returns the next event with data. io.EOF is the end of a stream between
// two events.
func (e *events) next() (event, error) {
	var ev event
	some, size := false, 0
	for e.lines.Scan() {
		line := e.lines.Bytes()
		if size += len(line); size > MaxEvent {
			return event{}, fmt.Errorf("%w: an event of more than %d bytes", ErrTooLarge, MaxEvent)
		}
		if !utf8.Valid(line) || bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, 0) >= 0 {
			return event{}, errors.New("a line is not clean UTF-8 text")
		}
		if len(line) == 0 {
			if some {
				return ev, nil
			}
			ev, size = event{}, 0
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "": // a comment
		case "event":
			ev.name = string(value)
		case "data":
			if some {
				ev.data = append(ev.data, '\n')
			}
			ev.data = append(ev.data, value...)
			some = true
		case "id", "retry":
		default:
			return event{}, errors.New("a line has an unknown field")
		}
	}
	err := e.lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return event{}, fmt.Errorf("%w: a line of more than %d bytes", ErrTooLarge, MaxEvent)
	case err != nil:
		return event{}, err
	case some || ev.name != "":
		return event{}, io.ErrUnexpectedEOF
	}
	return event{}, io.EOF
}

// read puts a reply together. The order is the documented one
// (https://platform.claude.com/docs/en/build-with-claude/streaming):
// message_start, then for each block start, deltas and stop, then
// message_delta, then message_stop; ping and error anywhere. Events of unknown
// names are passed over, as the API's versioning asks; unknown kinds of blocks
// and deltas are errors, because what they mean for the reply is not known.
func (c *Client) read(in io.Reader, text func(string)) (Reply, error) {
	s := &state{text: text}
	for stream := newEvents(in); ; {
		ev, err := stream.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return Reply{}, &StreamError{Problem: "it ends before message_stop", Err: err}
		}
		if ev.name == "error" {
			e := &APIError{Status: 200}
			c.fill(e, ev.data)
			return Reply{}, e
		}
		done, err := s.take(ev)
		if err != nil {
			return Reply{}, &StreamError{Problem: fmt.Sprintf("event %.30q: %v", ev.name, err)}
		}
		if done {
			return s.reply, nil
		}
	}
}

// state is how far a reply has come.
type state struct {
	text    func(string)
	started bool
	open    bool // the last block
	ended   bool // message_delta with a stop reason came
	reply   Reply
	// parts collect the deltas of the open block: text, input or thought, and
	// the signature of a thought.
	parts, sign bytes.Buffer
}

func (s *state) take(ev event) (done bool, err error) {
	var v struct {
		Type    string `json:"type"`
		Message *struct {
			Role  string `json:"role"`
			Usage Usage  `json:"usage"`
		} `json:"message"`
		Index *int `json:"index"`
		Block *struct {
			Type     string          `json:"type"`
			Text     string          `json:"text"`
			ID       string          `json:"id"`
			Name     string          `json:"name"`
			Input    json.RawMessage `json:"input"`
			Thinking string          `json:"thinking"`
			Sign     string          `json:"signature"`
			Data     string          `json:"data"`
		} `json:"content_block"`
		Delta *struct {
			Type       string  `json:"type"`
			Text       string  `json:"text"`
			Partial    string  `json:"partial_json"`
			Thinking   string  `json:"thinking"`
			Signature  string  `json:"signature"`
			StopReason *string `json:"stop_reason"`
		} `json:"delta"`
		Usage *Usage `json:"usage"`
	}
	switch ev.name {
	case "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop", "ping":
	case "":
		return false, errors.New("it has no name")
	default:
		return false, nil
	}
	if err := json.Unmarshal(ev.data, &v); err != nil {
		return false, errors.New("its data is not the documented JSON")
	}
	if v.Type != ev.name {
		return false, errors.New("its data is of another type")
	}
	if ev.name == "ping" {
		return false, nil
	}
	if ev.name == "message_start" {
		if s.started || v.Message == nil || v.Message.Role != "assistant" {
			return false, errors.New("not the start of a reply")
		}
		s.started, s.reply.Usage = true, v.Message.Usage
		return false, nil
	}
	if !s.started {
		return false, errors.New("before message_start")
	}
	blocks := len(s.reply.Content)
	switch ev.name {
	case "content_block_start":
		if s.open || s.ended || v.Block == nil || v.Index == nil || *v.Index != blocks {
			return false, errors.New("out of order")
		}
		if blocks == MaxBlocks {
			return false, fmt.Errorf("more than %d blocks", MaxBlocks)
		}
		b := Block{Type: v.Block.Type}
		s.parts.Reset()
		s.sign.Reset()
		switch b.Type {
		case "text":
			s.say(v.Block.Text)
		case "tool_use":
			b.ID, b.Name, b.Input = v.Block.ID, v.Block.Name, v.Block.Input
			if b.ID == "" || b.Name == "" {
				return false, errors.New("a tool call without a name or an id")
			}
			for _, other := range s.reply.Content {
				if other.ID == b.ID {
					return false, errors.New("two tool calls have one id")
				}
			}
		case "thinking":
			s.parts.WriteString(v.Block.Thinking)
			s.sign.WriteString(v.Block.Sign)
		case "redacted_thinking":
			b.data = v.Block.Data
		default:
			return false, errors.New("an unknown kind of block")
		}
		s.reply.Content, s.open = append(s.reply.Content, b), true
	case "content_block_delta":
		if !s.open || v.Delta == nil || v.Index == nil || *v.Index != blocks-1 {
			return false, errors.New("out of order")
		}
		switch s.reply.Content[blocks-1].Type + " " + v.Delta.Type {
		case "text text_delta":
			s.say(v.Delta.Text)
		case "text citations_delta":
		case "tool_use input_json_delta":
			s.parts.WriteString(v.Delta.Partial)
		case "thinking thinking_delta":
			s.parts.WriteString(v.Delta.Thinking)
		case "thinking signature_delta":
			s.sign.WriteString(v.Delta.Signature)
		default:
			return false, errors.New("a delta that does not fit its block")
		}
	case "content_block_stop":
		if !s.open || v.Index == nil || *v.Index != blocks-1 {
			return false, errors.New("out of order")
		}
		s.open = false
		b := &s.reply.Content[blocks-1]
		switch b.Type {
		case "text":
			b.Text = s.parts.String()
		case "thinking":
			b.thinking, b.signature = s.parts.String(), s.sign.String()
		case "tool_use":
			if s.parts.Len() > 0 {
				b.Input = bytes.Clone(s.parts.Bytes())
			}
			if b.Input, err = object(b.Input); err != nil {
				return false, errors.New("the input of a tool call is not a JSON object; was it cut at max_tokens?")
			}
		}
	case "message_delta":
		if s.open || v.Delta == nil {
			return false, errors.New("out of order")
		}
		if v.Delta.StopReason != nil {
			s.reply.StopReason, s.ended = *v.Delta.StopReason, *v.Delta.StopReason != ""
		}
		if v.Usage != nil {
			s.reply.Usage.OutputTokens = v.Usage.OutputTokens
			if v.Usage.InputTokens > 0 {
				s.reply.Usage.InputTokens = v.Usage.InputTokens
			}
		}
	case "message_stop":
		if s.open || !s.ended {
			return false, errors.New("before the reply was complete")
		}
		return true, nil
	}
	return false, nil
}

// say hands on and keeps a piece of text.
func (s *state) say(text string) {
	s.parts.WriteString(text)
	if text != "" {
		s.text(text)
	}
}
