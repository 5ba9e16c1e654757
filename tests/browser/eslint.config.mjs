// What `make lint` holds the scripts of the pages to; they run in a browser as they stand.
const browser = ['window', 'document', 'navigator', 'location', 'history', 'localStorage', 'Blob', 'Response', 'URL',
  'DecompressionStream', 'Event', 'atob'];

export default [{
  languageOptions: {
    ecmaVersion: 2022, sourceType: 'script',
    globals: Object.fromEntries([...browser, 'L'].map((name) => [name, 'readonly'])),
  },
  rules: {
    'no-undef': 'error', 'no-unused-vars': ['error', {varsIgnorePattern: '^lifecircle', argsIgnorePattern: '^_+$'}],
    'no-redeclare': 'error', 'no-shadow': 'error', 'no-var': 'error', 'prefer-const': 'error', eqeqeq: 'error',
    'no-implicit-globals': 'off', 'no-use-before-define': ['error', {functions: false, variables: false}],
    'no-unsafe-finally': 'error', 'no-unreachable': 'error', 'no-dupe-keys': 'error', 'no-fallthrough': 'error',
    'no-eval': 'error', 'no-implied-eval': 'error', 'no-new-func': 'error', 'no-script-url': 'error', strict: ['error', 'function'],
    'no-unused-expressions': ['error', {allowShortCircuit: true, allowTernary: true}], 'no-self-compare': 'error',
    'array-callback-return': 'error', 'consistent-return': 'off', 'max-len': ['error', {code: 150}], semi: 'error',
    'no-restricted-properties': ['error', ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'write'].map((property) => ({
      property, message: 'text from data is set as text content only',
    }))],
  },
}];
