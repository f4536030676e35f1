package credstore

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Handler returns a slog.Handler that redacts messages, the names of attributes, groups and their values before h sees them.
// A value that is no string is replaced by its redacted text if that text held a secret, and passed on as it is if not.
func (r *Redactor) Handler(h slog.Handler) slog.Handler { return &redactingHandler{r, h} }

type redactingHandler struct {
	r *Redactor
	h slog.Handler
}

func (h *redactingHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.h.Enabled(ctx, level)
}

func (h *redactingHandler) Handle(ctx context.Context, record slog.Record) error {
	out := slog.NewRecord(record.Time, record.Level, h.r.String(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.attr(a, 0))
		return true
	})
	return h.h.Handle(ctx, out)
}

func (h *redactingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = h.attr(a, 0)
	}
	return &redactingHandler{h.r, h.h.WithAttrs(out)}
}

func (h *redactingHandler) WithGroup(name string) slog.Handler {
	return &redactingHandler{h.r, h.h.WithGroup(h.r.String(name))}
}

func (h *redactingHandler) attr(a slog.Attr, depth int) slog.Attr {
	a.Key = h.r.String(a.Key)
	a.Value = h.value(a.Value.Resolve(), depth)
	return a
}

func (h *redactingHandler) value(v slog.Value, depth int) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(h.r.String(v.String()))
	case slog.KindGroup:
		if depth > 16 {
			return slog.StringValue(redacted)
		}
		group := v.Group()
		out := make([]slog.Attr, len(group))
		for i, a := range group {
			out[i] = h.attr(a, depth+1)
		}
		return slog.GroupValue(out...)
	case slog.KindAny:
		// What a handler prints of it: the text forms, and the bytes that %s shows and %v does not.
		for _, verb := range []string{"%+v", "%s"} {
			text := fmt.Sprintf(verb, v.Any())
			if clean := h.r.String(text); clean != text {
				return slog.StringValue(clean)
			}
		}
		if clean, ok := h.json(v.Any()); !ok {
			return slog.StringValue(clean)
		}
	}
	return v
}

// json says whether what a JSON handler prints of v holds no secret, and else its redacted text.
func (h *redactingHandler) json(v any) (string, bool) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", true // a handler cannot print it either
	}
	clean := h.r.String(string(raw))
	return clean, clean == string(raw)
}
