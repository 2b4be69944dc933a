export { ggufChatTemplate, loadChatTemplate } from './load-template.js';
export { type ChatMessage, ChatTemplate, type RenderChatOptions, type TemplateTokens } from './template.js';
