/* Loads every library that it is given as the host loads plugins, and runs `probe` in turn and on threads. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

typedef int (*probe_function)(char *, int);

static void *run(void *function) {
  char text[256];
  long bad = ((probe_function)function)(text, 5000);
  printf("%s bad=%ld\n", text, bad);
  return (void *)bad;
}

int main(int count, char **paths) {
  void *functions[8];
  pthread_t threads[8];
  long bad = 0;
  for (int i = 1; i < count && i < 8; i++) {
    void *handle = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle || !(functions[i] = dlsym(handle, "probe"))) return puts(dlerror()), 2;
  }
  for (int i = 1; i < count; i++) bad += (long)run(functions[i]);
  for (int i = 1; i < count; i++) pthread_create(&threads[i], NULL, run, functions[i]);
  for (int i = 1; i < count; i++) {
    void *result;
    pthread_join(threads[i], &result);
    bad += (long)result;
  }
  return bad != 0;
}
