// The same as folder stub, in C without a C library: it starts in a tenth of
// the time of a Go program, and the oracles start it some hundred thousand
// times. What it records and how it answers is defined by folder stub.
//
//   cc -Os -static -nostdlib -ffreestanding -fno-stack-protector stub.c

#define LOG "/oracle/rec/log"
#define REPLY "/oracle/rec/reply"
#define REAL "/oracle/real/"

typedef unsigned long word;

#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, OPENAT = 257, GETCWD = 79, READLINKAT = 267, WRITEV = 20, EXECVE = 59, EXIT = 231 };

static long call(long n, long a, long b, long c, long d) {
	long r;
	register long r10 __asm__("r10") = d;
	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return r;
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n");
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, CLOSE = 57, OPENAT = 56, GETCWD = 17, READLINKAT = 78, WRITEV = 66, EXECVE = 221, EXIT = 94 };

static long call(long n, long a, long b, long c, long d) {
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl run\n");
#else
#error "no system calls are known for this machine: the stub in Go serves"
#endif

enum { CWD = -100, O_WRONLY = 1, O_APPEND = 02000, O_CLOEXEC = 02000000 };

struct part {
	char *data;
	word size;
};

static void end(int status) {
	for (;;)
		call(EXIT, status, 0, 0, 0);
}

static word length(const char *s) {
	word n = 0;
	while (s[n])
		n++;
	return n;
}

static char *copy(char *to, const char *from) {
	while (*from)
		*to++ = *from++;
	return to;
}

// decimal writes a number and the NUL that ends a field.
static char *decimal(char *to, word n) {
	char digits[20];
	int i = 0;
	do
		digits[i++] = '0' + n % 10;
	while (n /= 10);
	while (i)
		*to++ = digits[--i];
	*to++ = 0;
	return to;
}

// block is what the strings of a list take, NULs and all. The kernel puts them
// one behind the other; one that it did not put so is not recorded.
static struct part block(char **list, word *count) {
	struct part p = {list[0], 0};
	for (*count = 0; list[*count]; ++*count) {
		if (list[*count] != p.data + p.size)
			end(99);
		p.size += length(list[*count]) + 1;
	}
	return p;
}

__attribute__((used)) void run(word *stack) {
	static char exe[4096], cwd[4096], head[8400], middle[24], real[4200], reply[4096];
	char **argv = (char **)(stack + 1), **env = argv + stack[0] + 1;
	long n = call(READLINKAT, CWD, (long)"/proc/self/exe", (long)exe, sizeof exe - 1);
	char *name = exe;
	for (char *p = exe; p < exe + n; p++)
		if (*p == '/')
			name = p + 1;
	if (call(GETCWD, (long)cwd, sizeof cwd, 0, 0) < 0)
		cwd[0] = 0;

	word argc, envc;
	struct part args = block(argv, &argc), vars = block(env, &envc);
	char *p = copy(head + 8, name);
	*p++ = 0;
	p = copy(p, cwd);
	*p++ = 0;
	p = decimal(p, argc);
	struct part parts[4] = {{head, p - head}, args, {middle, decimal(middle, envc) - middle}, vars};
	// Fields have NULs between them, and none at the end.
	parts[envc ? 3 : 2].size--;
	word size = parts[0].size + parts[1].size + parts[2].size + parts[3].size;
	for (int i = 0; i < 8; i++)
		head[i] = "0123456789abcdef"[(size - 8) >> (28 - 4 * i) & 15];
	long fd = call(OPENAT, CWD, (long)LOG, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	if (fd < 0 || call(WRITEV, fd, (long)parts, 4, 0) != (long)size)
		end(99);
	call(CLOSE, fd, 0, 0, 0); // it can be 1, where what is answered goes

	*copy(copy(real, REAL), name) = 0;
	call(EXECVE, (long)real, (long)argv, (long)env, 0);

	word mod = 0, total = 0;
	int text = 0;
	fd = call(OPENAT, CWD, (long)REPLY, 0, 0);
	while (fd >= 0 && (n = call(READ, fd, (long)reply, sizeof reply, 0)) > 0) {
		char *from = reply;
		for (; !text && from < reply + n; from++)
			if (*from == '\n')
				text = 1;
			else
				mod = mod * 10 + *from - '0';
		if (from < reply + n)
			call(WRITE, 1, (long)from, reply + n - from, 0);
	}
	for (word i = 0; i < argc; i++)
		total += length(argv[i]);
	end(mod && total % mod == 0);
}
