package scope

// Fold returns the form of a name under which protected and denied names are
// compared.
func Fold(name string) string { return name }
