/** Dates as Python's `strftime` writes them in the C locale and UTC: the directives chat templates use. */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** Unknown directives stay as they are. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)([a-zA-Z%])/g, (directive, unpadded: string, letter: string) => {
    const digits = (value: number, width = 2) => (unpadded ? `${value}` : `${value}`.padStart(width, '0'));
    const hours = date.getUTCHours();
    switch (letter) {
      case 'Y':
        return digits(date.getUTCFullYear(), 4);
      case 'y':
        return digits(date.getUTCFullYear() % 100);
      case 'm':
        return digits(date.getUTCMonth() + 1);
      case 'd':
        return digits(date.getUTCDate());
      case 'H':
        return digits(hours);
      case 'I':
        return digits(((hours + 11) % 12) + 1);
      case 'M':
        return digits(date.getUTCMinutes());
      case 'S':
        return digits(date.getUTCSeconds());
      case 'p':
        return hours < 12 ? 'AM' : 'PM';
      case 'A':
        return DAYS[date.getUTCDay()]!;
      case 'a':
        return DAYS[date.getUTCDay()]!.slice(0, 3);
      case 'B':
        return MONTHS[date.getUTCMonth()]!;
      case 'b':
        return MONTHS[date.getUTCMonth()]!.slice(0, 3);
      case '%':
        return '%';
      default:
        return directive;
    }
  });
}
